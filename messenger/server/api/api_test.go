package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestBytesReadAnyForm(t *testing.T) {
	want := []byte{0xfb, 0xef, 0xff, 0x01}
	for _, s := range []string{"++//AQ==", "++//AQ", "--__AQ==", "--__AQ", "++//\nAQ=="} {
		got, err := ParseBytes(s)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %x, %v", s, got, err)
		}
	}
	for _, s := range []string{"+", "++//A", "é", "a b="} {
		if got, err := ParseBytes(s); err == nil {
			t.Errorf("%q was read as %x", s, got)
		}
	}
}

func TestBytesInJSON(t *testing.T) {
	var m Message
	if err := json.Unmarshal([]byte(`{"type":1,"body":null,"content":"AQID\n"}`), &m); err != nil || m.Body != nil || string(m.Content) != "\x01\x02\x03" {
		t.Fatalf("%+v, %v", m, err)
	}
	b, err := json.Marshal(PreKey{KeyID: 5, PublicKey: Bytes{1}})
	if err != nil || string(b) != `{"keyId":5,"publicKey":"AQ"}` {
		t.Fatalf("%s, %v", b, err)
	}
	if b, _ := json.Marshal(Profile{}); string(b) != `{"identityKey":null}` {
		t.Fatalf("%s", b)
	}
}

func TestDecode(t *testing.T) {
	var m Messages
	for _, c := range []struct{ in, want string }{
		{`{"messages":[{"type":1}],"timestamp":5}`, ""},
		{`{"messages":[{"type":1}],"unknown":{"a":[1]}}`, ""},
		{`{"messages":[`, "the body is not the JSON wanted here: unexpected end of JSON input"},
		{`{} {}`, "the body is not the JSON wanted here: invalid character '{' after top-level value"},
		{`{"timestamp":-1}`, "the body is not the JSON wanted here: json: cannot unmarshal number -1 into Go struct field Messages.timestamp of type uint64"},
		{`{"relay":"` + strings.Repeat("x", 100) + `"}`, "the body is too large: want at most 100 bytes"},
		{``, "the body is not the JSON wanted here: unexpected end of JSON input"},
	} {
		err := Decode(strings.NewReader(c.in), 100, &m)
		if got := text(err); got != c.want {
			t.Errorf("%.40s: got %q, want %q", c.in, got, c.want)
		}
	}
	long := `{"messages":[` + strings.Repeat("{},", maxList) + `{}]}`
	if err := Decode(strings.NewReader(long), 1<<20, &m); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a list of %d: %v", maxList+1, err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// However a text is written in JSON, the short way and the long way agree.
func FuzzBytesInJSON(f *testing.F) {
	for _, s := range []string{`"++//AQ=="`, `"++//AQ"`, `"--__AQ"`, `"AQID\n"`, `"AQ\u0049D"`, `null`, `""`, `"="`, `"AQ=ID"`, `7`, `"AQI"`, `"A\\nQ"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s *string
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		var want Bytes
		var wantErr error
		if s != nil {
			want, wantErr = ParseBytes(*s)
		}
		var got Bytes
		if err := json.Unmarshal([]byte(text), &got); (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) || err == nil && (got == nil) != (want == nil) {
			t.Fatalf("%s: %x, %v; want %x, %v", text, got, err, want, wantErr)
		}
	})
}

func FuzzBytes(f *testing.F) {
	f.Add("++//AQ==")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBytes(s)
		if err != nil {
			return
		}
		if again, err := ParseBytes(b.String()); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q: %x became %x, %v", s, b, again, err)
		}
	})
}

// What is read prints, and what prints is read the same.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"messages":[{"type":1,"content":"AQID"}],"timestamp":5,"identityKey":"BQ==","preKeys":[{"keyId":1,"publicKey":"AA"}],"recipients":[{"number":"+1","devices":[{"id":1}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{new(Messages), new(Multi), new(PreKeysV3), new(PreKeysV1), new(Registration), new(Tokens), new(Provision), new(DeviceList)} {
			if Decode(bytes.NewReader(b), 1<<20, v) != nil {
				continue
			}
			first, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if err := Decode(bytes.NewReader(first), 8<<20, v); err != nil {
				t.Fatalf("%s: %v", first, err)
			}
			if second, _ := json.Marshal(v); !bytes.Equal(first, second) {
				t.Fatalf("%s became %s", first, second)
			}
		}
	})
}
