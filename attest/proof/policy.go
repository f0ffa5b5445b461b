package proof

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Limits of a log policy. An ML-DSA-44 key is 1.8 kB of text.
const (
	MaxPolicy    = 256 << 10 // bytes
	MaxWitnesses = 64
	MaxGroups    = 64
)

// Policy says whose signatures make a log's head one to believe: the log's own and a quorum of
// witnesses. It is the file log.policy; see the package comment for its text.
type Policy struct {
	log       Log
	witnesses []Witness
	quorum    Node
	verifiers note.Verifiers
}

// Log is whose log it is. The key's name is the log's origin: the first line of its checkpoints.
type Log struct {
	Key Key
	URL string // where its tiles are served, or empty
}

// Witness is somebody who cosigns the log's heads.
type Witness struct {
	Name string // in this policy
	Key  Key
	URL  string // prefix of its add-checkpoint, or empty
}

// Node is a witness or a group of the quorum's tree.
type Node struct {
	Name    string
	Witness *Witness // nil for a group
	Need    int      // of a group: so many of its members must have cosigned, 1 to len(Members)
	Members []Node
}

// PolicyError says which line of a log policy is wrong, and why.
type PolicyError struct {
	Line   int // from 1; 0 where something is missing as a whole
	Reason string
}

func (e *PolicyError) Error() string {
	if e.Line == 0 {
		return "log policy: " + e.Reason
	}
	return fmt.Sprintf("log policy, line %d: %s", e.Line, e.Reason)
}

// Log returns whose log it is.
func (p Policy) Log() Log { return p.log }

// Origin returns the first line that the log's checkpoints must have.
func (p Policy) Origin() string { return p.log.Key.Name }

// Witnesses returns all witnesses, in the order of the text.
func (p Policy) Witnesses() []Witness { return slices.Clone(p.witnesses) }

// Quorum returns the tree of groups that must be satisfied.
func (p Policy) Quorum() Node { return p.quorum }

// Encode prints the policy in its canonical form: no comments, single spaces, each group after its
// members. ParsePolicy(p.Encode()) is the same policy.
func (p Policy) Encode() []byte {
	var b bytes.Buffer
	b.WriteString(strings.TrimRight(fmt.Sprintf("log %s %s", p.log.Key, p.log.URL), " ") + "\n")
	for _, w := range p.witnesses {
		b.WriteString(strings.TrimRight(fmt.Sprintf("witness %s %s %s", w.Name, w.Key, w.URL), " ") + "\n")
	}
	p.quorum.encode(&b)
	fmt.Fprintf(&b, "quorum %s\n", p.quorum.Name)
	return b.Bytes()
}

func (n Node) encode(b *bytes.Buffer) {
	if n.Witness != nil {
		return
	}
	for _, m := range n.Members {
		m.encode(b)
	}
	fmt.Fprintf(b, "group %s %d", n.Name, n.Need)
	for _, m := range n.Members {
		b.WriteString(" " + m.Name)
	}
	b.WriteByte('\n')
}
