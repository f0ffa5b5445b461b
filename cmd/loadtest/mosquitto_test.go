package main

import (
	"bufio"
	"bytes"
	"testing"
)

func TestMQTTPackets(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16_383, 16_384, 100_000} {
		body := bytes.Repeat([]byte{7}, n)
		packet := mqttPacket(mqttPublish1, body)
		kind, got, err := readMQTT(bufio.NewReader(bytes.NewReader(packet)))
		if err != nil || kind != mqttPublish1 || !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back as %d of kind %x, %v", n, len(got), kind, err)
		}
		if _, _, err := readMQTT(bufio.NewReader(bytes.NewReader(packet[:len(packet)-1]))); err == nil {
			t.Errorf("%d bytes: a packet without its last byte was read", n)
		}
	}
	if b := mqttPacket(0x10, make([]byte, 321))[:3]; !bytes.Equal(b, []byte{0x10, 0xc1, 0x02}) { // the example of 2.2.3
		t.Errorf("321 bytes begin with %x", b)
	}
	if _, _, err := readMQTT(bufio.NewReader(bytes.NewReader([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}))); err == nil {
		t.Error("a length of more than four digits was read")
	}
}
