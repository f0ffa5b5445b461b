package wire_test

import (
	"os/exec"
	"testing"
)

// The committed protobuf code is what the generator makes of the .proto files. `make check` runs the same script, which
// does not let a missing protoc pass.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Skip("protoc is not installed (Debian: protobuf-compiler): the generated code is not compared")
	}
	out, err := exec.Command("./pb/generate.sh", "--check").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
