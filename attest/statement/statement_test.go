package statement_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

var started = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// rebuild is a good statement.
func rebuild() statement.Rebuild {
	return statement.Rebuild{
		Event: strings.Repeat("e", 64), Release: sha256.Sum256([]byte("release.json")),
		SourceCommit: strings.Repeat("c", 40), SourceTree: strings.Repeat("d", 40), SourceH1: "h1:" + strings.Repeat("s", 43) + "=",
		Recipe: strings.Repeat("a", 64), Go: "go1.26.8", ToolchainH1: "h1:" + strings.Repeat("t", 43) + "=", Bootstrap: "downloaded & checked <sum database>",
		ModulesSum: strings.Repeat("b", 64), Env: []string{"GOENV=off", "EMPTY="}, Builder: "Ana's laptop, Debian 12", Started: started, Finished: started.Add(time.Minute),
		Artifacts: []statement.Artifact{
			{Path: "linux-amd64/messenger", SHA256: sha256.Sum256([]byte("m")), Length: 1},
			{Path: "messenger-1.4.0-linux-amd64.tar", SHA256: sha256.Sum256([]byte("tar")), Length: 3},
		},
	}
}

func inconclusive() statement.Inconclusive {
	return statement.Inconclusive{Event: strings.Repeat("e", 64), Release: sha256.Sum256([]byte("release.json")), SourceCommit: strings.Repeat("c", 40),
		Reason: "no space left on device", Builder: "Ana's laptop", Started: started, Finished: started}
}

func encode(t testing.TB, s interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPrintedForm(t *testing.T) {
	const want = `{"_type":"https://in-toto.io/Statement/v1","subject":[` +
		`{"name":"linux-amd64/messenger","digest":{"sha256":"62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a"},"annotations":{"length":"1"}},` +
		`{"name":"messenger-1.4.0-linux-amd64.tar","digest":{"sha256":"TARSUM"},"annotations":{"length":"3"}}],` +
		`"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"https://github.com/countersign-project/countersign/rebuild/v1",` +
		`"externalParameters":{"event":"EVENT","release":{"sha256":"RELEASE"},"source":{"commit":"COMMIT","tree":"TREE","h1":"SOURCE"},"recipe":{"sha256":"RECIPE"}},` +
		`"internalParameters":{"bootstrap":"downloaded & checked <sum database>","builder":"Ana's laptop, Debian 12","environment":["GOENV=off","EMPTY="]},` +
		`"resolvedDependencies":[{"name":"source","digest":{"gitCommit":"COMMIT","gitTree":"TREE"},"annotations":{"h1":"SOURCE"}},` +
		`{"name":"toolchain go1.26.8","digest":{},"annotations":{"go":"go1.26.8","h1":"TOOLCHAIN"}},{"name":"go.sum","digest":{"sha256":"GOSUM"}}]},` +
		`"runDetails":{"builder":{"id":"https://github.com/countersign-project/countersign/builder/v1"},` +
		`"metadata":{"invocationId":"EVENT","startedOn":"2026-11-21T12:00:00Z","finishedOn":"2026-11-21T12:01:00Z"}}}}`
	r := rebuild()
	tar := sha256.Sum256([]byte("tar"))
	full := strings.NewReplacer("EVENT", r.Event, "RELEASE", hexOf(r.Release), "COMMIT", r.SourceCommit, "TREE", r.SourceTree, "SOURCE", r.SourceH1, "RECIPE", r.Recipe,
		"TOOLCHAIN", r.ToolchainH1, "GOSUM", r.ModulesSum, "TARSUM", hexOf(tar)).Replace(want)
	if got := string(encode(t, r)); got != full {
		t.Errorf("got\n%s\nwant\n%s", got, full)
	}
	const wantOther = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"release.json","digest":{"sha256":"RELEASE"}}],` +
		`"predicateType":"https://github.com/countersign-project/countersign/inconclusive/v1","predicate":{"event":"EVENT","commit":"COMMIT","reason":"no space left on device",` +
		`"builder":"Ana's laptop","startedOn":"2026-11-21T12:00:00Z","finishedOn":"2026-11-21T12:00:00Z"}}`
	i := inconclusive()
	full = strings.NewReplacer("EVENT", i.Event, "RELEASE", hexOf(i.Release), "COMMIT", i.SourceCommit).Replace(wantOther)
	if got := string(encode(t, i)); got != full {
		t.Errorf("got\n%s\nwant\n%s", got, full)
	}
}

func hexOf(sum [32]byte) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range sum {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func TestParseGivesItBack(t *testing.T) {
	r, i, v, whole, w := rebuild(), inconclusive(), review(), wholeReview(), withdrawal()
	for _, s := range []interface{ Encode() ([]byte, error) }{&r, &i, &v, &whole, &w} {
		got, err := statement.Parse(encode(t, s))
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("got %+v, %v, want %+v", got, err, s)
		}
	}
	r.Started, r.Env = started.Add(999999999).In(time.FixedZone("x", 7200)), nil
	got, err := statement.Parse(encode(t, r))
	if err != nil || !got.(*statement.Rebuild).Started.Equal(started) || len(got.(*statement.Rebuild).Env) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// repotest prints statements on its own, as other implementations do: ours reads them, and prints the same.
func TestAnotherPrinterAgrees(t *testing.T) {
	w := repotest.New(t, 3, 2)
	m := w.Publish(repotest.Release{Version: "1.4.0", Artifacts: map[string][]byte{"linux-amd64/messenger": []byte("m"), "windows-amd64/messenger.exe": []byte("exe")}, Otherwise: []int{2}})
	if len(m.Statements) != 3 {
		t.Fatalf("%d statements", len(m.Statements))
	}
	for n, b := range m.Statements {
		payload, _, err := bundle.Open(b, []crypto.PublicKey{w.People[n].Statement.Public()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := statement.Parse(payload)
		if err != nil {
			t.Fatal(err)
		}
		r := got.(*statement.Rebuild)
		want := []statement.Artifact{{"linux-amd64/messenger", sha256.Sum256([]byte("m")), 1}, {"windows-amd64/messenger.exe", sha256.Sum256([]byte("exe")), 3}}
		if same := reflect.DeepEqual(r.Artifacts, want); same != (n < 2) || r.Release != sha256.Sum256(m.Manifest) || r.Event != m.Event {
			t.Errorf("statement %d: %+v", n, r)
		}
	}
}

func TestFieldsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*statement.Rebuild){
		`event "", want 64 hex digits`:                                                     func(r *statement.Rebuild) { r.Event = "" },
		`event "EEEE`:                                                                      func(r *statement.Rebuild) { r.Event = strings.ToUpper(r.Event) },
		"release has no sha256":                                                            func(r *statement.Rebuild) { r.Release = [32]byte{} },
		`source commit "HEAD", want a git object id`:                                       func(r *statement.Rebuild) { r.SourceCommit = "HEAD" },
		`source tree "", want a git object id`:                                             func(r *statement.Rebuild) { r.SourceTree = "" },
		`source h1 "h1:x", want h1: and 44 base64 digits`:                                  func(r *statement.Rebuild) { r.SourceH1 = "h1:x" },
		`recipe "x", want 64 hex digits`:                                                   func(r *statement.Rebuild) { r.Recipe = "x" },
		`go "1.26", want a Go version such as go1.26.8`:                                    func(r *statement.Rebuild) { r.Go = "1.26" },
		`toolchain h1 "", want`:                                                            func(r *statement.Rebuild) { r.ToolchainH1 = "" },
		`go.sum "", want 64 hex digits`:                                                    func(r *statement.Rebuild) { r.ModulesSum = "" },
		`bootstrap "a\x1b[2J" has characters that do not print`:                            func(r *statement.Rebuild) { r.Bootstrap = "a\x1b[2J" },
		"builder has 201 bytes, at most 200":                                               func(r *statement.Rebuild) { r.Builder = strings.Repeat("b", 201) },
		"builder is not UTF-8":                                                             func(r *statement.Rebuild) { r.Builder = "\xff" },
		`environment entry "GOENV", want NAME=value`:                                       func(r *statement.Rebuild) { r.Env = []string{"GOENV"} },
		"201 environment entries, at most 200":                                             func(r *statement.Rebuild) { r.Env = slices.Repeat([]string{"A=b"}, 201) },
		"started or finished is missing":                                                   func(r *statement.Rebuild) { r.Started = time.Time{} },
		"finished 2026-11-21T11:59:59Z, before it started 2026-11-21T12:00:00Z":            func(r *statement.Rebuild) { r.Finished = started.Add(-time.Second) },
		"0 artifacts, want 1 to 1000":                                                      func(r *statement.Rebuild) { r.Artifacts = nil },
		`artifact "../x" is no path we use`:                                                func(r *statement.Rebuild) { r.Artifacts[0].Path = "../x" },
		`artifact "/x" is no path we use`:                                                  func(r *statement.Rebuild) { r.Artifacts[0].Path = "/x" },
		`artifact "a//x" is no path we use`:                                                func(r *statement.Rebuild) { r.Artifacts[0].Path = "a//x" },
		"artifact linux-amd64/messenger has 0 bytes":                                       func(r *statement.Rebuild) { r.Artifacts[0].Length = 0 },
		`artifact "linux-amd64/messenger" after "linux-amd64/messenger", want them sorted`: func(r *statement.Rebuild) { r.Artifacts[1] = r.Artifacts[0] },
		`artifact "linux-amd64/messenger" after "messenger-1.4.0-linux-amd64.tar", want`:   func(r *statement.Rebuild) { slices.Reverse(r.Artifacts) },
	} {
		r := rebuild()
		change(&r)
		if b, err := r.Encode(); err == nil || !strings.HasPrefix(err.Error(), "statement: "+want) {
			t.Errorf("%s, %v, want %q", b, err, want)
		}
	}
	for want, change := range map[string]func(*statement.Inconclusive){
		"no reason given":                          func(i *statement.Inconclusive) { i.Reason = "" },
		`reason "a\nb" has characters that do not`: func(i *statement.Inconclusive) { i.Reason = "a\nb" },
		`event "x", want 64 hex digits`:            func(i *statement.Inconclusive) { i.Event = "x" },
		"release has no sha256":                    func(i *statement.Inconclusive) { i.Release = [32]byte{} },
		`source commit "", want a git object id`:   func(i *statement.Inconclusive) { i.SourceCommit = "" },
		"finished 1969-12-31T23:59:59Z, before it": func(i *statement.Inconclusive) { i.Finished = time.Unix(-1, 0) },
		"time out of range":                        func(i *statement.Inconclusive) { i.Started = time.Unix(-1, 0) },
	} {
		i := inconclusive()
		change(&i)
		if b, err := i.Encode(); err == nil || !strings.HasPrefix(err.Error(), "statement: "+want) {
			t.Errorf("%s, %v, want %q", b, err, want)
		}
	}
}

// Each byte changed: refused, or it says something else.
func TestEveryByteMatters(t *testing.T) {
	r, i, v, whole, w := rebuild(), inconclusive(), review(), wholeReview(), withdrawal()
	for _, s := range []interface{ Encode() ([]byte, error) }{&r, &i, &v, &whole, &w} {
		good := encode(t, s)
		for n := range good {
			for flip := range 8 {
				b := slices.Clone(good)
				b[n] ^= 1 << flip
				if got, err := statement.Parse(b); err == nil && reflect.DeepEqual(got, s) {
					t.Fatalf("byte %d ^ %#x is not noticed", n, 1<<flip)
				} else if r, ok := err.(interface{ Refused() bool }); err != nil && (!ok || !r.Refused()) {
					t.Fatalf("byte %d ^ %#x: %v is no refusal", n, 1<<flip, err)
				}
			}
			if _, err := statement.Parse(good[:n]); err == nil {
				t.Fatalf("the first %d bytes are accepted", n)
			}
		}
	}
}

func TestHostileStatements(t *testing.T) {
	good := string(encode(t, rebuild()))
	edit := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not there", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, test := range map[string]struct{ text, want string }{
		"two commits":           {edit(`"gitCommit":"cc`, `"gitCommit":"dd`), otherPrint},
		"two trees":             {edit(`"gitTree":"dd`, `"gitTree":"cc`), otherPrint},
		"two events":            {edit(`"invocationId":"ee`, `"invocationId":"dd`), otherPrint},
		"other toolchain name":  {edit(`"toolchain go1.26.8"`, `"toolchain go1.26.7"`), otherPrint},
		"other builder":         {edit(`/builder/v1`, `/builder/v2`), otherPrint},
		"second digest":         {edit(`{"sha256":"62c6`, `{"sha1":"00","sha256":"62c6`), otherPrint},
		"field twice":           {edit(`"event":`, `"event":"x","event":`), otherPrint},
		"other case":            {edit(`"event":`, `"Event":`), otherPrint},
		"space":                 {edit(`"event":`, `"event": `), otherPrint},
		"escaped":               {edit(`<sum`, `\u003csum`), otherPrint},
		"line end":              {good + "\n", otherPrint},
		"offset":                {edit(`12:00:00Z`, `13:00:00+01:00`), otherPrint},
		"fraction":              {edit(`12:00:00Z`, `12:00:00.5Z`), otherPrint},
		"length with a sign":    {edit(`"length":"1"`, `"length":"+1"`), otherPrint},
		"length is no number":   {edit(`"length":"1"`, `"length":"one"`), `statement: subject "linux-amd64/messenger": length "one", want a number`},
		"unknown field":         {edit(`"event":`, `"verdict":"good","event":`), `statement: json: unknown field "verdict"`},
		"four dependencies":     {edit(`{"name":"go.sum"`, `{"name":"x","digest":{}},{"name":"go.sum"`), "statement: 4 resolved dependencies"},
		"no dependencies":       {good[:strings.Index(good, `"resolvedDependencies":[`)+24] + good[strings.Index(good, `]},"runDetails"`):], "statement: 0 resolved dependencies"},
		"other build type":      {edit(`rebuild/v1`, `rebuild/v2`), `statement: build type "https://github.com/countersign-project/countersign/rebuild/v2", want`},
		"other predicate":       {edit(`slsa.dev/provenance/v1`, `slsa.dev/provenance/v2`), `statement: predicate type "https://slsa.dev/provenance/v2" is none we know`},
		"other type":            {edit(`Statement/v1`, `Statement/v0.1`), `statement: type "https://in-toto.io/Statement/v0.1", want`},
		"inconclusive in guise": {edit(`https://slsa.dev/provenance/v1`, statement.PredicateInconclusive), "statement: json: unknown field"},
		"short digest":          {edit(`62c66a7a`, `62c6`), `statement: sha256 "62c6`},
		"null":                  {"null", `statement: type "", want`},
		"nothing":               {"", "statement: "},
		"two":                   {good + good, "statement: "},
		"deep":                  {strings.Repeat("[", 100_000), "statement: "},
		"large":                 {strings.Repeat(" ", statement.MaxSize+1), "statement: 262145 bytes, at most 262144"},
	} {
		if got, err := statement.Parse([]byte(test.text)); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v, want %q", name, got, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encode(f, rebuild()))
	f.Add(encode(f, inconclusive()))
	f.Add(encode(f, review()))
	f.Add(encode(f, wholeReview()))
	f.Add(encode(f, withdrawal()))
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := statement.Parse(b)
		if err != nil {
			return
		}
		again, err := got.(interface{ Encode() ([]byte, error) }).Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("prints as %s, %v", again, err)
		}
	})
}
