package proof_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
)

// vector is one file of testdata: perhaps a line "about …", a line "expect good: …" or "expect refused:
// …", and then parts, each a line "<name> <length> bytes", the bytes and a newline.
type vector struct {
	name, expect string
	part         map[string][]byte
}

// vectors reads a folder of vectors; one without any is a failure, since it would show nothing.
func vectors(t testing.TB, folder string) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in testdata/%s: %v", folder, err)
	}
	var list []vector
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v := vector{name: filepath.Base(file), part: map[string][]byte{}}
		for len(b) > 0 {
			line, rest, _ := bytes.Cut(b, []byte("\n"))
			word, value, _ := strings.Cut(string(line), " ")
			b = rest
			switch word {
			case "about":
			case "expect":
				v.expect = value
			default:
				var n int
				if _, err := fmt.Sscanf(value, "%d bytes", &n); err != nil || n >= len(b) || b[n] != '\n' {
					t.Fatalf("%s: broken part %q", file, line)
				}
				v.part[word], b = b[:n], b[n+1:]
			}
		}
		if v.expect == "" {
			t.Fatalf("%s expects nothing", file)
		}
		list = append(list, v)
	}
	return list
}

// outcome puts a result into the words of a vector.
func outcome(err error, format string, args ...any) string {
	if err != nil {
		return "refused: " + err.Error()
	}
	return "good: " + fmt.Sprintf(format, args...)
}

func TestPolicyVectors(t *testing.T) {
	for _, v := range vectors(t, "policy") {
		p, err := proof.ParsePolicy(v.part["policy"])
		if got := outcome(err, "%v", p.Quorum()); got != v.expect {
			t.Errorf("%s:\n got %s\nwant %s", v.name, got, v.expect)
		}
		if err != nil {
			continue
		}
		again, err := proof.ParsePolicy(p.Encode())
		if err != nil || again.Quorum().String() != p.Quorum().String() || !bytes.Equal(again.Encode(), p.Encode()) {
			t.Errorf("%s: the canonical form is another policy: %v\n%s", v.name, err, p.Encode())
		}
	}
}

func TestHeadVectors(t *testing.T) {
	for _, v := range vectors(t, "head") {
		head, err := policy(t, v.part["policy"]).Open(v.part["checkpoint"])
		names := ""
		for _, w := range head.Witnesses {
			names += " " + w.Name
		}
		if got := outcome(err, "size %d%s", head.Size, names); got != v.expect {
			t.Errorf("%s:\n got %s\nwant %s", v.name, got, v.expect)
		}
	}
}

func TestProofVectors(t *testing.T) {
	for _, v := range vectors(t, "proof") {
		p, err := proof.Parse(v.part["proof"])
		var shown []bool
		if err == nil {
			_, shown, err = p.Verify(policy(t, v.part["policy"]), lines(v.part["entries"]))
		}
		if got := outcome(err, "shown %v", shown); got != v.expect {
			t.Errorf("%s:\n got %s\nwant %s", v.name, got, v.expect)
		}
	}
}

// lines parts a text into its lines, newlines included.
func lines(b []byte) [][]byte {
	list := bytes.SplitAfter(b, []byte("\n"))
	return list[:len(list)-1]
}
