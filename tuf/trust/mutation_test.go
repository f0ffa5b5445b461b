package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// mutantsPerRole is how many changed files each role must refuse. The seed is
// fixed: the same mutants on every machine.
const mutantsPerRole = 10_000

// TestMutations feeds each role files that were honest before one to three
// structured changes. The role above vouches for each mutant's length, hash
// and version, as somebody with the online keys could arrange: what must
// refuse it is the parser or the count of signatures. No mutant may be
// accepted, none may panic, and none may change the Set.
func TestMutations(t *testing.T) { testMutations(t, Strict, mutantsPerRole, meaning) }

// TestMutationsStandard does the same to the standard mode, where bytes beside
// "signed" may be anybody's: there what is signed must stay the same.
func TestMutationsStandard(t *testing.T) { testMutations(t, Standard, mutantsPerRole/5, payloadOf) }

func payloadOf(b []byte) []byte {
	v, err := parseTree(b)
	if err != nil {
		return nil
	}
	return canonical(v.fields["signed"])
}

func testMutations(t *testing.T, mode Mode, mutants int, meaning func([]byte) []byte) {
	for i, role := range []string{Root, Timestamp, Snapshot, Targets, "stable"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			honest, bench := mutationBench(t, role, mode)
			if err := bench()(honest); err != nil {
				t.Fatalf("the honest file: %v", err)
			}
			m := &mutator{rng: rand.New(rand.NewPCG(2026, uint64(i))), honest: honest}
			offer := bench()
			for refused := 0; refused < mutants; {
				b := m.mutate()
				if bytes.Equal(b, m.plain) {
					continue // nothing changed
				}
				err := offer(b)
				if err == nil {
					if !bytes.Equal(meaning(b), meaning(honest)) {
						t.Fatalf("accepted: %s", b)
					}
					offer = bench() // white space, or the order of signatures: the Set has moved on
					continue
				}
				if strings.Contains(err.Error(), "panicked") {
					t.Fatalf("%v: %s", err, b)
				}
				refused++
			}
			if err := offer(honest); err != nil {
				t.Fatalf("the honest file after all mutants: %v", err)
			}
			t.Logf("%d mutants refused", mutants)
		})
	}
}

// mutationBench returns the honest file of a role and a maker of benches: each
// has a Set with everything above the role, and is offered files for the role.
func mutationBench(t *testing.T, role string, mode Mode) (honest []byte, bench func() func(b []byte) error) {
	w := newWorld()
	m, anchor := w.all(), w.anchor()
	w.root["version"] = 2
	honest = map[string][]byte{Root: w.anchor(), Timestamp: m.Timestamp, Snapshot: m.Snapshot,
		Targets: m.Targets, "stable": m.Delegated["stable"]}[role]
	return honest, func() func(b []byte) error {
		s, err := New(anchor, mode, today)
		if err != nil {
			t.Fatal(err)
		}
		steps := []struct {
			role string
			take func(b []byte) error
			file []byte
		}{
			{Root, s.UpdateRoot, nil},
			{Timestamp, func(b []byte) error { _, err := s.UpdateTimestamp(b); return err }, m.Timestamp},
			{Snapshot, s.UpdateSnapshot, m.Snapshot},
			{Targets, s.UpdateTargets, m.Targets},
			{"stable", func(b []byte) error { return s.UpdateDelegated("stable", Targets, b) }, nil},
		}
		for _, step := range steps {
			if step.role == role {
				return func(b []byte) error {
					s.vouch(role, b)
					return step.take(b)
				}
			}
			if step.file == nil {
				continue
			}
			if err := step.take(step.file); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	}
}

// vouch makes the role above say what b is, in our copy and in the engine's.
func (s *Set) vouch(role string, b []byte) {
	if role == Root || role == Timestamp {
		return
	}
	var f struct{ Signed struct{ Version int64 } }
	_ = json.Unmarshal(b, &f)
	sum := sha256.Sum256(b)
	meta := metaFile{version: f.Signed.Version, length: int64(len(b)), hashes: map[string][]byte{"sha256": sum[:]}}
	theirs := &metadata.MetaFiles{Version: meta.version, Length: meta.length, Hashes: metadata.Hashes{"sha256": sum[:]}}
	if role == Snapshot {
		s.timestamp.meta["snapshot.json"] = meta
		s.engine.tm.Timestamp.Signed.Meta["snapshot.json"] = theirs
		return
	}
	s.snapshot.meta[role+".json"] = meta
	s.engine.tm.Snapshot.Signed.Meta[role+".json"] = theirs
}

// meaning is the canonical form of a whole file with its signatures sorted, or
// the bytes themselves when they are no JSON of ours.
func meaning(b []byte) []byte {
	v, err := parseTree(b)
	if err != nil {
		return append([]byte("not a tree: "), b...)
	}
	if sigs, ok := v.fields["signatures"]; ok {
		sort.Slice(sigs.items, func(i, j int) bool {
			return bytes.Compare(canonical(sigs.items[i]), canonical(sigs.items[j])) < 0
		})
	}
	return canonical(v)
}

// node is a JSON value that can hold what parsers must refuse: equal names,
// odd numbers.
type node struct {
	kind   byte // '{', '[', '"', or 'x' for anything printed as it is
	text   string
	names  []string
	values []*node
}

func toNode(v value) *node {
	switch v.kind {
	case isObject:
		n := &node{kind: '{'}
		for name := range v.fields {
			n.names = append(n.names, name)
		}
		sort.Strings(n.names)
		for _, name := range n.names {
			n.values = append(n.values, toNode(v.fields[name]))
		}
		return n
	case isArray:
		n := &node{kind: '['}
		for _, item := range v.items {
			n.values = append(n.values, toNode(item))
		}
		return n
	case isString:
		return &node{kind: '"', text: v.text}
	}
	return &node{kind: 'x', text: string(canonical(v))}
}

func (n *node) print(b *strings.Builder) {
	switch n.kind {
	case 'x':
		b.WriteString(n.text)
	case '"':
		quoted, _ := json.Marshal(n.text)
		b.Write(quoted)
	case '[', '{':
		b.WriteByte(n.kind)
		for i, v := range n.values {
			if i > 0 {
				b.WriteByte(',')
			}
			if n.kind == '{' {
				quoted, _ := json.Marshal(n.names[i])
				b.Write(quoted)
				b.WriteByte(':')
			}
			v.print(b)
		}
		b.WriteByte(n.kind + 2) // '[' + 2 is ']', '{' + 2 is '}'
	}
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, v := range n.values {
		v.walk(visit)
	}
}

type mutator struct {
	rng    *rand.Rand
	honest []byte
	tree   *node
	plain  []byte // the unchanged tree, printed
}

// mutate changes one to three places of the honest file.
func (m *mutator) mutate() []byte {
	if m.rng.IntN(8) == 0 {
		return m.bytes(m.honest)
	}
	if m.tree == nil {
		tree, err := parseTree(m.honest)
		if err != nil {
			panic("internal error: the honest file is no JSON")
		}
		m.tree = toNode(tree)
		m.plain = m.tree.bytes()
	}
	copied := clone(m.tree)
	root := &copied
	for range 1 + m.rng.IntN(3) {
		var all []*node
		root.walk(func(n *node) { all = append(all, n) })
		m.change(all[m.rng.IntN(len(all))], all)
	}
	return root.bytes()
}

func (n *node) bytes() []byte {
	var b strings.Builder
	n.print(&b)
	return []byte(b.String())
}

// bytes mangles the text: cut, flip, insert, double.
func (m *mutator) bytes(honest []byte) []byte {
	b := bytes.Clone(honest)
	i := m.rng.IntN(len(b))
	switch m.rng.IntN(5) {
	case 0:
		return b[:i]
	case 1:
		return b[i:]
	case 2:
		b[i] ^= 1 << m.rng.IntN(8)
		return b
	case 3:
		return append(b[:i:i], append([]byte{byte(m.rng.IntN(256))}, b[i:]...)...)
	}
	return append(b, honest...)
}

// junk are values put in the place of others.
var junk = []string{`null`, `true`, `false`, `0`, `-1`, `1`, `2`, `1.5`, `1e3`, `-0`, `9007199254740991`, `9007199254740993`,
	`99999999999999999999`, `""`, `"x"`, `"root"`, `"targets"`, `"2026-11-21T12:00:00Z"`, `"9999-12-31T23:59:59Z"`, `"\ud800"`,
	`"\u0000"`, `[]`, `{}`, `[null]`, `{"":null}`, `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`,
	`{"version":1}`, `{"keyid":"","sig":""}`, `"` + strings.Repeat("00", 32) + `"`, `"` + strings.Repeat("A", 3000) + `"`}

func (m *mutator) change(n *node, all []*node) {
	count := len(n.values)
	switch m.rng.IntN(10) {
	case 0: // another value in its place
		*n = node{kind: 'x', text: junk[m.rng.IntN(len(junk))]}
	case 1: // a copy of some other part in its place
		*n = clone(all[m.rng.IntN(len(all))])
	case 2: // a member lost
		if count > 0 {
			i := m.rng.IntN(count)
			n.values = append(n.values[:i:i], n.values[i+1:]...)
			if n.kind == '{' {
				n.names = append(n.names[:i:i], n.names[i+1:]...)
			}
		}
	case 3: // a member twice
		if count > 0 {
			i := m.rng.IntN(count)
			twin := clone(n.values[i])
			n.values = append(n.values, &twin)
			if n.kind == '{' {
				n.names = append(n.names, n.names[i])
			}
		}
	case 4: // a member of another name
		if n.kind == '{' && count > 0 {
			i := m.rng.IntN(count)
			n.names[i] = m.rename(n.names[i])
		}
	case 5: // a new member
		extra := &node{kind: 'x', text: junk[m.rng.IntN(len(junk))]}
		switch n.kind {
		case '{':
			n.names, n.values = append(n.names, m.rename("extra")), append(n.values, extra)
		case '[':
			n.values = append(n.values, extra)
		}
	case 6: // two members swapped
		if count > 1 {
			i, j := m.rng.IntN(count), m.rng.IntN(count)
			n.values[i], n.values[j] = n.values[j], n.values[i]
		}
	case 7, 8: // a word or number a little different
		switch n.kind {
		case '"':
			n.text = m.rename(n.text)
		case 'x':
			if v, err := strconv.ParseInt(n.text, 10, 64); err == nil {
				n.text = strconv.FormatInt(v+int64(m.rng.IntN(3)-1), 10)
			}
		}
	case 9: // wrapped
		inner := *n
		*n = node{kind: '[', values: []*node{&inner}}
	}
}

func clone(n *node) node {
	c := *n
	c.names = append([]string(nil), n.names...)
	c.values = nil
	for _, v := range n.values {
		twin := clone(v)
		c.values = append(c.values, &twin)
	}
	return c
}

func (m *mutator) rename(s string) string {
	if s == "" {
		return "x"
	}
	i := m.rng.IntN(len(s))
	switch m.rng.IntN(7) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToUpper(s[:1]) + s[1:]
	case 2:
		return s[:i]
	case 3:
		return s + "\u0000"
	case 4:
		return "../" + s
	case 5:
		return s + s[:i]
	}
	b := []byte(s)
	b[i] = "0123456789abcdef"[m.rng.IntN(16)]
	return string(b)
}
