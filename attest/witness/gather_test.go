package witness_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/attest/witness"
)

// fakes is a log and witnesses that behave as a test wants. Each has one Ed25519 key.
type fakes struct {
	t       *testing.T
	log     *prooftest.Log
	signers []*prooftest.Signer
	answers []http.HandlerFunc // nil: cosign
	g       *witness.Gatherer
	policy  proof.Policy
}

// newFakes starts them: two of three are a quorum.
func newFakes(t *testing.T, answers ...http.HandlerFunc) *fakes {
	f := &fakes{t: t, log: prooftest.NewLog(origin), answers: answers}
	text := "log " + f.log.Key.String() + "\n"
	for i, name := range []string{"ana", "bo", "chen"} {
		s := prooftest.NewSigner(name+".example/w", proof.Ed25519Cosi)
		f.signers = append(f.signers, s)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if f.answers[i] != nil {
				f.answers[i](w, r)
				return
			}
			_, _ = w.Write(s.Line(f.log.Text(len(f.log.Entries))))
		}))
		t.Cleanup(srv.Close)
		text += "witness " + name + " " + s.Key.String() + " " + srv.URL + "/\n"
	}
	policy, err := proof.ParsePolicy([]byte(text + "group all-people 2 ana bo chen\nquorum all-people\n"))
	if err != nil {
		t.Fatal(err)
	}
	f.log.Fill(7)
	f.policy = policy
	f.g = &witness.Gatherer{Policy: policy, Client: http.DefaultClient, Deadline: 2 * time.Minute, After: func(time.Duration) <-chan time.Time { return nil }}
	return f
}

func (f *fakes) cosign(ctx context.Context) (proof.Head, error) {
	b, err := f.g.Cosign(ctx, f.log.Checkpoint(), func(_ context.Context, old uint64) ([]proof.Hash, error) {
		if old == 0 || old == 7 {
			return nil, nil
		}
		return f.log.Consistency(int(old), 7), nil
	})
	if err != nil {
		return proof.Head{}, err
	}
	return f.policy.Open(b)
}

// missing checks who is said to be missing and why.
func (f *fakes) missing(err error, want ...string) {
	f.t.Helper()
	var e *witness.MissingError
	if !errors.As(err, &e) || len(e.Absents) != len(want)/2 {
		f.t.Fatalf("%v, want %q missing", err, want)
	}
	for i, a := range e.Absents {
		if a.Name != want[2*i] || !strings.Contains(a.Why, want[2*i+1]) {
			f.t.Errorf("%s: %s, want %s: %s", a.Name, a.Why, want[2*i], want[2*i+1])
		}
	}
	var few *proof.QuorumError
	if !errors.As(err, &few) || !strings.HasPrefix(err.Error(), "head of 7 entries: ") {
		f.t.Error("the error is", err)
	}
}

func status(code int, contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = w.Write([]byte(text))
	}
}

func TestAllWhoAnswerAreOnTheHead(t *testing.T) {
	f := newFakes(t, nil, nil, nil)
	head, err := f.cosign(t.Context())
	if err != nil || len(head.Witnesses) != 3 {
		t.Fatal(head, err)
	}
}

func TestOneOfThreeMayBeAway(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{
		"refuses":     status(403, "text/plain", "no"),
		"no text":     status(200, "text/plain", ""),
		"rubbish":     status(200, "text/plain", "— ana.example/w AAAA\n— x\n\n\n"),
		"too much":    status(200, "text/plain", strings.Repeat("— x y\n", 20000)),
		"went back":   status(409, "text/x.tlog.size", "9\n"),
		"always 409":  status(409, "text/x.tlog.size", "3\n"),
		"size is not": status(409, "text/x.tlog.size", "many\n"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakes(t, nil, bad, nil)
			if head, err := f.cosign(t.Context()); err != nil || len(head.Witnesses) != 2 {
				t.Fatal(head, err)
			}
		})
	}
}

func TestTooFewAreNamedWithTheReason(t *testing.T) {
	f := newFakes(t, status(403, "text/plain", "no good signature"), status(409, "text/x.tlog.size", "9\n"), nil)
	_, err := f.cosign(t.Context())
	f.missing(err, "ana", "answers 403 Forbidden: \"no good signature\"", "bo", "knows 9 entries of this log, and the head has 7: the log went back")
	f.answers = []http.HandlerFunc{status(200, "text/plain", "nothing\n"), status(409, "text/x.tlog.size", "3\n"), nil}
	_, err = f.cosign(t.Context())
	f.missing(err, "ana", "answered without this key's cosignature", "bo", "said 3 times that it knows another size")
}

// A witness that signs whatever it is shown, and one that hands on the other's signature, are one and no one.
func TestOneWitnessNeverCountsTwice(t *testing.T) {
	f := newFakes(t, nil, nil, status(500, "text/plain", "down"))
	f.answers[1] = func(w http.ResponseWriter, r *http.Request) { // Bo sends Ana's line, twice
		line := f.signers[0].Line(f.log.Text(7))
		_, _ = w.Write(append(line, line...))
	}
	_, err := f.cosign(t.Context())
	f.missing(err, "bo", "answered without this key's cosignature", "chen", "answers 500")

	f.answers[2] = nil // and where there are enough, Bo's game does not spoil the head
	if head, err := f.cosign(t.Context()); err != nil || len(head.Witnesses) != 2 {
		t.Fatal(head, err)
	}
}

// Bo cosigned another head; the policy would refuse a checkpoint with that line in it.
func TestAWrongLineIsLeftOut(t *testing.T) {
	f := newFakes(t, nil, nil, nil)
	f.answers[1] = func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(f.signers[1].Line(f.log.Text(6))) }
	if head, err := f.cosign(t.Context()); err != nil || len(head.Witnesses) != 2 {
		t.Fatal(head, err)
	}
	f.answers[1] = func(w http.ResponseWriter, r *http.Request) { // a time that is impossible
		late := *f.signers[1]
		late.At = time.Unix(0, 0)
		_, _ = w.Write(late.Line(f.log.Text(7)))
	}
	if head, err := f.cosign(t.Context()); err != nil || len(head.Witnesses) != 2 {
		t.Fatal(head, err)
	}
}

// Bo never answers. With the quorum there, only the grace is waited; without it, the deadline ends all.
func TestASlowWitness(t *testing.T) {
	f := newFakes(t, nil, nil, nil)
	without := func(away ...string) *witness.Gatherer { // with the usual times
		return &witness.Gatherer{Policy: f.policy, Client: &http.Client{Transport: f.network(away)}}
	}
	synctest.Test(t, func(t *testing.T) {
		f.g = without("bo")
		began := time.Now()
		if head, err := f.cosign(t.Context()); err != nil || len(head.Witnesses) != 2 {
			t.Fatal(head, err)
		}
		if took := time.Since(began); took != witness.DefaultGrace {
			t.Errorf("waited for %v, want the grace", took)
		}
		f.g = without("ana", "bo")
		began = time.Now()
		_, err := f.cosign(t.Context())
		f.missing(err, "ana", "did not answer in time", "bo", "did not answer in time")
		if took := time.Since(began); took != witness.DefaultDeadline {
			t.Errorf("waited for %v, want the deadline", took)
		}
	})
}

// network is the witnesses without a network: all but those that never answer do so at once.
func (f *fakes) network(never []string) http.RoundTripper {
	byHost := map[string]int{}
	for i, w := range f.policy.Witnesses() {
		byHost[strings.Trim(strings.TrimPrefix(w.URL, "http://"), "/")] = i
	}
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		i, there := byHost[r.URL.Host]
		if !there {
			f.t.Errorf("somebody else was asked: %s", r.URL)
		}
		if slices.Contains(never, f.policy.Witnesses()[i].Name) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		rec := httptest.NewRecorder()
		_, _ = rec.Write(f.signers[i].Line(f.log.Text(len(f.log.Entries))))
		return rec.Result(), nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheSizeAWitnessKnowsIsRemembered(t *testing.T) {
	f := newFakes(t, nil, nil, nil)
	asked := 0
	f.answers[0] = func(w http.ResponseWriter, r *http.Request) {
		asked++
		if asked == 1 {
			status(409, "text/x.tlog.size", "3\n")(w, r)
			return
		}
		_, _ = w.Write(f.signers[0].Line(f.log.Text(7)))
	}
	for range 2 {
		if head, err := f.cosign(t.Context()); err != nil || len(head.Witnesses) != 3 {
			t.Fatal(head, err)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times, want 2 and 1", asked)
	}
}

// A connection that was used before is closed by the witness at the moment the next head is sent on it: the head is sent on a new one.
func TestAnIdleConnectionThatIsJustBeingClosed(t *testing.T) {
	f := newFakes(t, nil, nil, nil)
	var mu sync.Mutex
	used := map[string]int{} // requests by connection
	for i, s := range f.signers {
		f.answers[i] = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			used[r.RemoteAddr]++
			again := used[r.RemoteAddr] > 1
			mu.Unlock()
			if again {
				panic(http.ErrAbortHandler) // closes it without an answer
			}
			if len(r.Header["Idempotency-Key"]) > 0 {
				t.Error("the key was sent")
			}
			_, _ = w.Write(s.Line(f.log.Text(7)))
		}
	}
	f.g.Client = &http.Client{Transport: &http.Transport{}}
	defer f.g.Client.CloseIdleConnections()
	for range 2 {
		if head, err := f.cosign(t.Context()); err != nil || len(head.Witnesses) != 3 {
			t.Fatal(head, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for conn, n := range used {
		if n == 2 {
			return
		}
		t.Logf("%d requests on %s", n, conn)
	}
	t.Error("no connection was used twice")
}
