package proof

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// policyReader reads a policy line by line. Names must be defined above their use, which leaves no
// cycles; and whatever was defined must have been used once by the end.
type policyReader struct {
	policy  Policy
	hasLog  bool
	nodes   map[string]Node   // what was defined, by name
	line    map[string]int    // where
	folded  map[string]string // names in lower case, since "Ana" and "ana" are too alike
	usedBy  map[string]string // what was used, and by which group
	keys    map[string]string // whose raw public key, whatever its name and algorithm
	ids     map[string]string // whose key name and hash
	checks  []note.Verifier
	groups  int
	settled bool // the quorum line was read
}

// ParsePolicy reads a log policy. Errors are *PolicyError.
func ParsePolicy(text []byte) (Policy, error) {
	if len(text) > MaxPolicy {
		return Policy{}, &PolicyError{0, fmt.Sprintf("%d bytes, at most %d allowed", len(text), MaxPolicy)}
	}
	r := policyReader{nodes: map[string]Node{}, line: map[string]int{}, folded: map[string]string{},
		usedBy: map[string]string{}, keys: map[string]string{}, ids: map[string]string{}}
	for i, line := range strings.Split(string(text), "\n") {
		if err := r.read(line, i+1); err != nil {
			return Policy{}, &PolicyError{i + 1, err.Error()}
		}
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return Policy{}, &PolicyError{bytes.Count(text, []byte("\n")) + 1, "the last line has no newline: is the file cut off?"}
	}
	if err := r.finish(); err != nil {
		return Policy{}, err
	}
	return r.policy, nil
}

func (r *policyReader) read(line string, n int) error {
	line = strings.Trim(line, " \t")
	if line == "" {
		return nil
	}
	if strings.HasPrefix(line, "#") {
		return checkComment(line)
	}
	if i := strings.IndexFunc(line, func(c rune) bool { return c != '\t' && (c < 0x20 || c > 0x7e) }); i >= 0 {
		return fmt.Errorf("character %q: only comments may have other than printable ASCII", []rune(line[i:])[0])
	}
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	if r.settled {
		return fmt.Errorf("%q follows the quorum, which must be the last line", words[0])
	}
	switch words[0] {
	case "log":
		return r.readLog(words[1:])
	case "witness":
		return r.readWitness(words[1:], n)
	case "group":
		return r.readGroup(words[1:], n)
	case "quorum":
		return r.readQuorum(words[1:])
	}
	return fmt.Errorf("unknown word %q, want log, witness, group or quorum", clip(words[0]))
}

// checkComment keeps out what could make a reader see another text than the parser, such as characters
// that turn the direction of writing.
func checkComment(line string) error {
	if !utf8.ValidString(line) {
		return fmt.Errorf("a comment that is not UTF-8")
	}
	for _, c := range line {
		if c != '\t' && !unicode.IsPrint(c) {
			return fmt.Errorf("character %U in a comment is not printable", c)
		}
	}
	return nil
}

func (r *policyReader) readLog(words []string) error {
	if r.hasLog {
		return fmt.Errorf("a second log: one policy is for one log")
	}
	if len(words) < 1 || len(words) > 2 {
		return fmt.Errorf("want: log KEY [URL]")
	}
	key, err := r.key("the log", words[0], Ed25519)
	if err != nil {
		return err
	}
	at, err := optionalURL(words[1:])
	if err != nil {
		return err
	}
	r.policy.log, r.hasLog = Log{key, at}, true
	return nil
}

func (r *policyReader) readWitness(words []string, n int) error {
	if len(words) < 2 || len(words) > 3 {
		return fmt.Errorf("want: witness NAME KEY [URL]")
	}
	if len(r.policy.witnesses) == MaxWitnesses {
		return fmt.Errorf("more than %d witnesses", MaxWitnesses)
	}
	key, err := r.key(fmt.Sprintf("witness %q", words[0]), words[1], Ed25519Cosi, MLDSA44)
	if err != nil {
		return err
	}
	at, err := optionalURL(words[2:])
	if err != nil {
		return err
	}
	w := Witness{words[0], key, at}
	r.policy.witnesses = append(r.policy.witnesses, w)
	return r.define(Node{Name: w.Name, Witness: &w}, n)
}

func (r *policyReader) readGroup(words []string, n int) error {
	if len(words) < 3 {
		return fmt.Errorf("want: group NAME all|any|NUMBER and its members")
	}
	if r.groups++; r.groups > MaxGroups {
		return fmt.Errorf("more than %d groups", MaxGroups)
	}
	g := Node{Name: words[0]}
	for _, name := range words[2:] {
		member, err := r.use(name, fmt.Sprintf("group %q", g.Name))
		if err != nil {
			return err
		}
		g.Members = append(g.Members, member)
	}
	switch words[1] {
	case "all":
		g.Need = len(g.Members)
	case "any":
		g.Need = 1
	default:
		k, err := strconv.Atoi(words[1])
		if err != nil || strconv.Itoa(k) != words[1] {
			return fmt.Errorf("group %q: %q, want all, any or a number", clip(g.Name), clip(words[1]))
		}
		g.Need = k
	}
	if g.Need < 1 || g.Need > len(g.Members) {
		return fmt.Errorf("group %q: needs %d of %d members, want 1 to %d", clip(g.Name), g.Need, len(g.Members), len(g.Members))
	}
	return r.define(g, n)
}

func (r *policyReader) readQuorum(words []string) error {
	if len(words) != 1 {
		return fmt.Errorf("want: quorum NAME")
	}
	if words[0] == "none" {
		return fmt.Errorf("quorum none: a head that nobody cosigned shows one reader anything")
	}
	node, err := r.use(words[0], "the quorum")
	r.policy.quorum, r.settled = node, true
	return err
}

// nodeName is the alphabet of names of witnesses and groups.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:@~-]{0,63}$`)

func (r *policyReader) define(n Node, line int) error {
	if !nodeName.MatchString(n.Name) {
		return fmt.Errorf("name %q, want 1 to 64 of letters, digits and . _ / : @ ~ -", clip(n.Name))
	}
	fold := strings.ToLower(n.Name)
	if other, ok := r.folded[fold]; ok {
		return fmt.Errorf("name %q: line %d has %q already", n.Name, r.line[other], other)
	}
	if slices.Contains([]string{"none", "all", "any"}, fold) {
		return fmt.Errorf("name %q is a word of the policy", n.Name)
	}
	r.folded[fold], r.line[n.Name], r.nodes[n.Name] = n.Name, line, n
	return nil
}

// use takes a name into a group or the quorum. It can be taken once, so that nobody counts twice.
func (r *policyReader) use(name, by string) (Node, error) {
	n, ok := r.nodes[name]
	if !ok {
		return Node{}, fmt.Errorf("%s names %q, which no line above defines", by, clip(name))
	}
	if other, ok := r.usedBy[name]; ok {
		return Node{}, fmt.Errorf("%s names %q, which %s counts already", by, name, other)
	}
	r.usedBy[name] = by
	return n, nil
}

// key takes a public key. It can be taken once, whatever name, hash or algorithm it is given with.
func (r *policyReader) key(whose, vkey string, allowed ...Algorithm) (Key, error) {
	k, err := ParseKey(vkey)
	if err != nil {
		return Key{}, err
	}
	if !slices.Contains(allowed, k.Algorithm) {
		return Key{}, fmt.Errorf("%s has a key for %v, want %s", whose, k.Algorithm, alternatives(allowed))
	}
	if other, ok := r.keys[k.Public]; ok {
		return Key{}, fmt.Errorf("%s has the same public key as %s", whose, other)
	}
	id := fmt.Sprintf("%s+%08x", k.Name, k.Hash())
	if other, ok := r.ids[id]; ok {
		return Key{}, fmt.Errorf("%s has the same key name and hash as %s: %s", whose, other, id)
	}
	v, err := k.Verifier()
	if err != nil {
		return Key{}, fmt.Errorf("%s: %v", whose, err)
	}
	r.keys[k.Public], r.ids[id] = whose, whose
	r.checks = append(r.checks, v)
	return k, nil
}

// optionalURL takes an http or https URL to which a path can be appended.
func optionalURL(words []string) (string, error) {
	if len(words) == 0 {
		return "", nil
	}
	u, err := url.Parse(words[0])
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(words[0], "#") {
		return "", fmt.Errorf("URL %q, want http or https, a host and perhaps a path", clip(words[0]))
	}
	return words[0], nil
}

func (r *policyReader) finish() error {
	if !r.hasLog {
		return &PolicyError{0, "no log line: whose log is it?"}
	}
	if !r.settled {
		return &PolicyError{0, "no quorum line: who must have cosigned?"}
	}
	for _, name := range r.unused() {
		return &PolicyError{r.line[name], fmt.Sprintf("%q does not count: neither the quorum nor a group of it names it", name)}
	}
	r.policy.verifiers = note.VerifierList(r.checks...)
	return nil
}

// unused returns the names that were defined and never taken, in the order of their lines. Since a name
// is taken at most once and only below its definition, all others hang on the quorum.
func (r *policyReader) unused() []string {
	var names []string
	for name := range r.nodes {
		if _, ok := r.usedBy[name]; !ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return r.line[a] - r.line[b] })
	return names
}

func alternatives(list []Algorithm) string {
	var words []string
	for _, a := range list {
		words = append(words, a.String())
	}
	return strings.Join(words, " or ")
}
