package genuine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestFormatIsTheSameForTheSameStatements(t *testing.T) {
	want := `{"format":"countersign-evidence-2","statements":[{"a":"<"},{"b":1}],"proof":"a\nb"}` + "\n"
	for _, in := range [][]string{{`{"a":"<"}`, `{"b":1}`}, {"{\n \"b\": 1}", `{"a":"<"}`}, {`{"b":1}`, `{"a":"<"}`, `{"b": 1}`}} {
		var list [][]byte
		for _, s := range in {
			list = append(list, []byte(s))
		}
		got, err := File{list, []byte("a\nb")}.Encode()
		if err != nil || string(got) != want {
			t.Errorf("%q: %s, %v, want %s", in, got, err, want)
		}
	}
	empty, err := File{}.Encode()
	if err != nil || string(empty) != `{"format":"countersign-evidence-2","statements":[],"proof":""}`+"\n" {
		t.Errorf("%s, %v", empty, err)
	}
	if _, err := (File{Statements: [][]byte{[]byte("{")}}).Encode(); err == nil || err.Error() != "statement: unexpected end of JSON input" {
		t.Errorf("error %v", err)
	}
}

func TestParseFileRefuses(t *testing.T) {
	many := `{"format":"countersign-evidence-2","statements":[` + strings.Repeat("1,", MaxStatements) + "1]}"
	for in, want := range map[string]string{
		"":     "evidence: EOF",
		"null": `evidence: format "", want "countersign-evidence-2"`,
		"[]":   "evidence: json: cannot unmarshal array into Go value of type genuine.fileWire",
		`{"format":"countersign-evidence-1","statements":[]}`:    `evidence: format "countersign-evidence-1", want "countersign-evidence-2"`,
		`{"format":"countersign-evidence-2","more":1}`:           `evidence: json: unknown field "more"`,
		`{"format":"countersign-evidence-2","statements":[]} {}`: "evidence: something follows the JSON object",
		`{"format":"countersign-evidence-2","statements":[]}]`:   "evidence: something follows the JSON object",
		many:                           fmt.Sprintf("evidence: %d statements, at most %d allowed", MaxStatements+1, MaxStatements),
		strings.Repeat(" ", MaxFile+1): fmt.Sprintf("evidence: %d bytes, at most %d allowed", MaxFile+1, MaxFile),
	} {
		if _, err := ParseFile([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%.60q: error %v, want %s", in, err, want)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(`{"format":"countersign-evidence-2","statements":[]}`))
	f.Add([]byte(`{"format":"countersign-evidence-2","statements":[{"a":1},null,"x"]}`))
	f.Add([]byte(`{"format":"countersign-evidence-2","statements":[{"a":1}],"proof":"countersign\n"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseFile(b)
		if err != nil {
			return
		}
		again, err := got.Encode()
		if err != nil {
			t.Fatalf("what was read does not print: %v", err)
		}
		once, err := ParseFile(again)
		if err != nil || len(once.Statements) > len(got.Statements) {
			t.Fatalf("%d statements became %d, %v", len(got.Statements), len(once.Statements), err)
		}
		twice, err := once.Encode()
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("printed twice: %s, then %s", again, twice)
		}
	})
}
