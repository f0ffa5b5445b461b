package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/publish/roomtest"
)

func TestFromStagingToPublication(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	for i, m := range []int{roomtest.Ana, roomtest.Ben, roomtest.Cleo} {
		record := r.rebuild(id, m)
		if record.Result != event.Matched || record.Err() != nil || len(record.Artifacts) != 4 {
			t.Fatalf("record = %+v", record)
		}
		out := r.sign(id, m)
		if got := len(out.Status.Quorums[0].Signed); got != i+1 {
			t.Fatalf("%d signed, want %d", got, i+1)
		}
		if out.Status.Ready != (i == 2) {
			t.Fatalf("after %d: ready = %v: %s", i+1, out.Status.Ready, out.Status.Next())
		}
	}
	r.Publish(id)
	if got := r.Published().Events["stable"]; got != id.String() {
		t.Fatalf("published event %s, want %s", got, id)
	}
}

func TestSignWithoutRebuildIsRefused(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	r.rebuild(id, roomtest.Ben) // another auditor's rebuild does not count
	_, err := r.decide(id, roomtest.Ana)
	refused(t, err, id, "1.4.0 stable (event {id}) is not signed without your own matching rebuild: there is no statement of a rebuild by Ana Sousa (Alpha, PT)")
	var no *NotRebuilt
	if !errors.As(err, &no) {
		t.Errorf("error of type %T", err)
	}
}

func TestTamperedArtifactGivesANegativeStatement(t *testing.T) {
	r := newRoom(t)
	id := r.stageAs(r.manifest("1.4.0", "stable"), map[string][]byte{"linux-amd64/messenger": []byte("messenger 1.4.0 with a surprise")})
	a := r.auditor(roomtest.Ana)
	record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	refused(t, record.Err(), id, "1.4.0 stable: your rebuild is not what the publisher built: linux-amd64/messenger")
	if got := record.Differences[0].Explain; got == "" {
		t.Errorf("explained as %q", got)
	}
	for side, want := range map[string]string{"ours": "messenger 1.4.0", "theirs": "messenger 1.4.0 with a surprise"} {
		got, err := os.ReadFile(filepath.Join(record.Kept, side, "linux-amd64", "messenger"))
		if err != nil || string(got) != want {
			t.Errorf("%s kept %q, %v, want %q", side, got, err, want)
		}
	}
	s := r.Load(id).Status(event.Published{}, "")
	if got := s.Rebuilds[roomtest.Ana]; got.Result != event.Differs || got.Differs[0] != "linux-amd64/messenger" {
		t.Errorf("public word: %+v", got)
	}
	_, err = r.decide(id, roomtest.Ana)
	refused(t, err, id, "1.4.0 stable (event {id}) is not signed without your own matching rebuild: you, Ana Sousa, stated that you got other bytes: linux-amd64/messenger")
	// A later rebuild that matches does not undo the word: users would not count it either.
	a.Build = func(ctx context.Context, j Job) (Product, error) {
		files := roomtest.Artifacts("1.4.0")
		files["linux-amd64/messenger"] = []byte("messenger 1.4.0 with a surprise")
		return product(j, r.Load(id).Manifest, files)
	}
	record, err = a.Rebuild(t.Context(), id, RebuildOptions{Again: true})
	r.check(err)
	if record.Result != event.Matched {
		t.Fatalf("result %q", record.Result)
	}
	_, err = r.decide(id, roomtest.Ana)
	refused(t, err, id, "1.4.0 stable (event {id}) is not signed without your own matching rebuild: you, Ana Sousa, stated that you got other bytes: linux-amd64/messenger")
}

func TestEverythingTheManifestSaysIsCompared(t *testing.T) {
	r := newRoom(t)
	for what, change := range map[string]func(p *Product){
		"version":       func(p *Product) { p.Version = "1.3.9" },
		"source commit": func(p *Product) { p.Source.Commit = strings.Repeat("e", 40) },
		"source tree":   func(p *Product) { p.Source.Tree = strings.Repeat("e", 40) },
		"source h1":     func(p *Product) { p.Source.H1 = "h1:" + strings.Repeat("C", 43) + "=" },
		"recipe":        func(p *Product) { p.Recipe = strings.Repeat("9", 64) },
		"go":            func(p *Product) { p.Go = "go1.26.7" },
		"go.sum":        func(p *Product) { p.Modules = strings.Repeat("9", 64) },
		"linux-amd64/messengerd": func(p *Product) { // missing
			p.Artifacts = p.Artifacts[:len(p.Artifacts)-1]
		},
		"linux-amd64/more": nil,
	} {
		t.Run(what, func(t *testing.T) {
			r.T = t
			id := r.stage("1.4.0", "stable")
			a := r.auditor(roomtest.Ana)
			a.Build = func(ctx context.Context, j Job) (Product, error) {
				p, err := r.honest(ctx, j)
				if change != nil {
					change(&p)
					return p, err
				}
				r.check(os.WriteFile(filepath.Join(j.Out, "linux-amd64", "more"), []byte("more"), 0o600))
				p.Artifacts = append(p.Artifacts, Built{"linux-amd64/more", 4, sha256.Sum256([]byte("more"))})
				return p, err
			}
			record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
			r.check(err)
			refused(t, record.Err(), id, "1.4.0 stable: your rebuild is not what the publisher built: "+what)
			for _, s := range r.Load(id).Statements {
				if s.Rebuild != nil && len(r.Load(id).Differences(s.Rebuild)) == 0 {
					t.Errorf("stated as matching")
				}
			}
			if _, err := r.decide(id, roomtest.Ana); err == nil {
				t.Errorf("may be signed")
			}
		})
	}
}

func TestBuildThatFailsIsInconclusive(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	a := r.auditor(roomtest.Ana)
	a.Build = func(context.Context, Job) (Product, error) {
		return Product{}, errors.New("go build ./cmd/messenger:\n\tmain.go:3: \x1b[31mundefined: x\n" + strings.Repeat("more ", 10000))
	}
	record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	err = record.Err()
	if err == nil || isRefusal(err) {
		t.Fatalf("err = %v, want one that is no refusal", err)
	}
	const start = "1.4.0 stable: your rebuild could not be finished: go build ./cmd/messenger: main.go:3: ?[31mundefined: x more more"
	if !strings.HasPrefix(err.Error(), start) || len(record.Reason) > maxReason {
		t.Errorf("%d bytes of reason: %.200s", len(record.Reason), err)
	}
	s := r.Load(id).Status(event.Published{}, "").Rebuilds[roomtest.Ana]
	if s.Result != event.Inconclusive || s.Text != record.Reason {
		t.Errorf("public word %q: %.100s", s.Result, s.Text)
	}
	_, err = r.decide(id, roomtest.Ana)
	refused(t, err, id, `1.4.0 stable (event {id}) is not signed without your own matching rebuild: your rebuild of 2026-11-21 ended as "inconclusive"`)
	// The next attempt, with the cause removed, counts.
	if record := r.rebuild(id, roomtest.Ana); record.Result != event.Matched {
		t.Fatalf("second attempt: %+v", record)
	}
	r.sign(id, roomtest.Ana)
}

// A builder that times out, dies or lies must never come out as success.
func TestDishonestBuilder(t *testing.T) {
	r := newRoom(t)
	for want, build := range map[string]func(r *room, j Job) (Product, error){
		"the build made nothing": func(*room, Job) (Product, error) { return Product{}, nil },
		"linux-amd64/messenger: is not what the builder says that it made, 15 bytes with sha256 ": func(r *room, j Job) (Product, error) {
			p, err := r.honest(t.Context(), j)
			r.check(os.WriteFile(filepath.Join(j.Out, "linux-amd64", "messenger"), []byte("messenger 1.4.!"), 0o600))
			return p, err
		},
		"linux-amd64/messenger: the builder says that it made it: open ": func(r *room, j Job) (Product, error) {
			p, err := r.honest(t.Context(), j)
			r.check(os.Remove(filepath.Join(j.Out, "linux-amd64", "messenger")))
			return p, err
		},
	} {
		id := r.stage("1.4.0", "stable")
		a := r.auditor(roomtest.Ana)
		a.Build = func(_ context.Context, j Job) (Product, error) { return build(r, j) }
		record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
		r.check(err)
		if record.Result != event.Inconclusive || !strings.HasPrefix(record.Reason, want) {
			t.Errorf("%s: %s, want %q", record.Result, record.Reason, want)
		}
	}
}

func TestStoppedRebuildSaysNothing(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	a := r.auditor(roomtest.Ana)
	ctx, stop := context.WithCancel(t.Context())
	a.Build = func(context.Context, Job) (Product, error) {
		stop()
		return Product{}, errors.New("signal: killed")
	}
	if _, err := a.Rebuild(ctx, id, RebuildOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
	if n := len(r.Load(id).Statements); n != 0 {
		t.Errorf("%d statements", n)
	}
	if record := r.rebuild(id, roomtest.Ana); record.Result != event.Matched {
		t.Errorf("started again: %+v", record)
	}
}

func TestStatementThatDidNotArriveIsHandedInLater(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	a := r.auditor(roomtest.Ana)
	a.Store = deaf{r.Room.Events}
	builds := 0
	a.Build = func(ctx context.Context, j Job) (Product, error) { builds++; return r.honest(ctx, j) }
	_, err := a.Rebuild(t.Context(), id, RebuildOptions{})
	if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "the rebuild is finished (matched) and kept in") {
		t.Fatalf("err = %v", err)
	}
	a.Store = r.Room.Events
	record, err := a.Rebuild(t.Context(), id, RebuildOptions{})
	r.check(err)
	if record.Result != event.Matched || builds != 1 || len(r.Load(id).Statements) != 1 {
		t.Errorf("result %s after %d builds, %d statements", record.Result, builds, len(r.Load(id).Statements))
	}
	r.sign(id, roomtest.Ana)
}

// deaf is a room that can be read and takes nothing.
type deaf struct{ event.Store }

func (deaf) PutStatement(context.Context, event.ID, []byte) error {
	return errors.New("no route to host")
}
func (deaf) PutSignature(context.Context, event.ID, event.Signature) error {
	return errors.New("no route to host")
}

func TestWrongKeys(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	stranger := roomtest.NewMember("Mallory", "None", "FR")
	a := r.auditor(roomtest.Ana)
	a.Keys = a.Keys[:0:0]
	a.Keys = append(a.Keys, stranger.Auditor, stranger.Statement)
	_, err := a.Check(t.Context(), id, Options{})
	refused(t, err, id, "none of the 2 keys given signs anything of this event: stable is signed by Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis; given: "+a.ringText())
	_, err = a.Rebuild(t.Context(), id, RebuildOptions{})
	refused(t, err, id, "none of the 2 keys given is a statement key of this event's policy, which has those of Ana Sousa, Ben Weiss, Cleo Hart, Dai Mori, Eva Reis; given: "+a.ringText())
	a.Keys = append(a.Keys, r.People[0].Statement, r.People[1].Statement)
	_, err = a.Rebuild(t.Context(), id, RebuildOptions{})
	refused(t, err, id, "the keys given are the statement keys of two people, Ana Sousa and Ben Weiss: a rebuild is one person's word")
}

func TestCacheIsNeverShared(t *testing.T) {
	r := newRoom(t)
	id := r.stage("1.4.0", "stable")
	cache := filepath.Join(t.TempDir(), "cache")
	var used string
	build := func(ctx context.Context, j Job) (Product, error) { used = j.Cache; return r.honest(ctx, j) }
	a := r.auditor(roomtest.Ana)
	a.Build = build
	for range 2 {
		_, err := a.Rebuild(t.Context(), id, RebuildOptions{Cache: cache, Again: true})
		r.check(err)
		if used != filepath.Join(cache, "build") {
			t.Fatalf("cache %q", used)
		}
	}
	_, err := r.auditor(roomtest.Ben).Rebuild(t.Context(), id, RebuildOptions{Cache: cache})
	ana, ben := keySum(r.People[0].Statement.Public())[:16], keySum(r.People[1].Statement.Public())[:16]
	refused(t, err, id, "build cache "+cache+" was filled by another auditor (statement key "+ana+", yours is "+ben+"): a cache is never shared")
	strange := t.TempDir()
	r.check(os.WriteFile(filepath.Join(strange, "object"), nil, 0o600))
	_, err = a.Rebuild(t.Context(), id, RebuildOptions{Cache: strange, Again: true})
	refused(t, err, id, `build cache `+strange+` is not empty and does not say whose it is: it holds "object"`)
}
