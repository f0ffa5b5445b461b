package split_test

import (
	"bytes"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/rand"
	"fmt"
	"io"
	"testing"

	"github.com/countersign-project/countersign/messenger/braid/split"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// The standard library's ML-KEM is asked the same question: same randomness, same key, same ciphertext and secret.
func TestAgainstTheStandardLibrary(t *testing.T) {
	for range 200 {
		dk, err := mlkem.GenerateKey768()
		if err != nil {
			t.Fatal(err)
		}
		m := make([]byte, 32)
		rand.Read(m)
		want, ct, err := mlkemtest.Encapsulate768(dk.EncapsulationKey(), m)
		if err != nil {
			t.Fatal(err)
		}
		h, vector := split.Parts(dk.EncapsulationKey())
		shared, ct1, e, err := split.Encapsulate(h, bytes.NewReader(m))
		if err != nil {
			t.Fatal(err)
		}
		e, err = split.ParseEncapsulation(e.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		ct2, err := e.Finish(h, vector)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(append(ct1, ct2...), ct) || !bytes.Equal(shared[:], want) {
			t.Fatal("ciphertext or secret differs")
		}
		if got, err := dk.Decapsulate(ct); err != nil || !bytes.Equal(got, shared[:]) {
			t.Fatal("the owner gets another secret", err)
		}
	}
}

func TestVectorMustBelongToTheHeader(t *testing.T) {
	dk, _ := mlkem.GenerateKey768()
	h, vector := split.Parts(dk.EncapsulationKey())
	_, _, e, err := split.Encapsulate(h, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range vector {
		bad := bytes.Clone(vector)
		bad[i] ^= 1
		if _, err := e.Finish(h, bad); fmt.Sprint(err) != "invalid message: ml-kem vector does not belong to its header" {
			t.Fatal(i, err)
		}
	}
	if _, err := e.Finish(h, vector[1:]); refusal.Of(err) != refusal.InvalidMessage {
		t.Error(err)
	}
	if _, _, _, err := split.Encapsulate(h, io.LimitReader(rand.Reader, 31)); err == nil {
		t.Error("31 bytes of randomness are enough")
	}
	if _, err := split.ParseEncapsulation(make([]byte, 63)); err == nil {
		t.Error("short stored form accepted")
	}
}

func BenchmarkEncapsulate(b *testing.B) {
	dk, _ := mlkem.GenerateKey768()
	h, vector := split.Parts(dk.EncapsulationKey())
	for b.Loop() {
		_, _, e, _ := split.Encapsulate(h, rand.Reader)
		e.Finish(h, vector)
	}
}
