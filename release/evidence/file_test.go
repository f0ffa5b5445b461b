package evidence

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestFormatIsTheSameForTheSameStatements(t *testing.T) {
	want := `{"format":"countersign-evidence-1","statements":[{"a":"<"},{"b":1}]}` + "\n"
	for _, in := range [][]string{{`{"a":"<"}`, `{"b":1}`}, {"{\n \"b\": 1}", `{"a":"<"}`}, {`{"b":1}`, `{"a":"<"}`, `{"b": 1}`}} {
		var list [][]byte
		for _, s := range in {
			list = append(list, []byte(s))
		}
		got, err := Format(list)
		if err != nil || string(got) != want {
			t.Errorf("%q: %s, %v, want %s", in, got, err, want)
		}
	}
	empty, err := Format(nil)
	if err != nil || string(empty) != `{"format":"countersign-evidence-1","statements":[]}`+"\n" {
		t.Errorf("%s, %v", empty, err)
	}
	if _, err := Format([][]byte{[]byte("{")}); err == nil || err.Error() != "statement: unexpected end of JSON input" {
		t.Errorf("error %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	many := `{"format":"countersign-evidence-1","statements":[` + strings.Repeat("1,", MaxStatements) + "1]}"
	for in, want := range map[string]string{
		"":     "evidence: EOF",
		"null": `evidence: format "", want "countersign-evidence-1"`,
		"[]":   "evidence: json: cannot unmarshal array into Go value of type evidence.file",
		`{"format":"countersign-evidence-2","statements":[]}`:    `evidence: format "countersign-evidence-2", want "countersign-evidence-1"`,
		`{"format":"countersign-evidence-1","more":1}`:           `evidence: json: unknown field "more"`,
		`{"format":"countersign-evidence-1","statements":[]} {}`: "evidence: something follows the JSON object",
		`{"format":"countersign-evidence-1","statements":[]}]`:   "evidence: something follows the JSON object",
		many:                           fmt.Sprintf("evidence: %d statements, at most %d allowed", MaxStatements+1, MaxStatements),
		strings.Repeat(" ", MaxFile+1): fmt.Sprintf("evidence: %d bytes, at most %d allowed", MaxFile+1, MaxFile),
	} {
		if _, err := Parse([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%.60q: error %v, want %s", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"format":"countersign-evidence-1","statements":[]}`))
	f.Add([]byte(`{"format":"countersign-evidence-1","statements":[{"a":1},null,"x"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Format(list)
		if err != nil {
			t.Fatalf("what was read does not print: %v", err)
		}
		once, err := Parse(again)
		if err != nil || len(once) > len(list) {
			t.Fatalf("%d statements became %d, %v", len(list), len(once), err)
		}
		twice, err := Format(once)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("printed twice: %s, then %s", again, twice)
		}
	})
}
