package engine

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// A child process works on the store and says, line by line and only after the store had answered, what was
// acknowledged; the parent kills it in the middle and looks whether the store keeps its word.
//
//	e GUID   an envelope was enqueued
//	i GUID   its acknowledgement is about to be recorded
//	a GUID   and was
//	t ID     a one-time prekey was taken
const childURL, childSeed = "STORE_TEST_CHILD_URL", "STORE_TEST_CHILD_SEED"

const childDevices = 8

// TestChild is not a test: it is the child.
func TestChild(t *testing.T) {
	url := os.Getenv(childURL)
	if url == "" {
		t.Skip("only runs as the child of TestKill")
	}
	s, err := Open(context.Background(), url, Options{})
	if err != nil {
		fmt.Println("x", err)
		os.Exit(1)
	}
	fmt.Println("o") // open
	var seed uint64
	_, _ = fmt.Sscan(os.Getenv(childSeed), &seed)
	for worker := range uint64(2 * childDevices) {
		go work(s, rand.New(rand.NewPCG(seed, worker)), store.DeviceKey(worker%childDevices+1))
	}
	select {} // until killed
}

// work does what a server does for one device, for ever.
func work(s store.Store, r *rand.Rand, d store.DeviceKey) {
	ctx := context.Background()
	for {
		var batch []store.Envelope
		for range 1 + r.IntN(3) {
			e := store.Envelope{Device: d, Body: make([]byte, r.IntN(2000))}
			for i := range e.GUID {
				e.GUID[i] = byte(r.Uint32())
			}
			batch = append(batch, e)
		}
		for i, err := range s.Enqueue(ctx, batch, now) {
			say(err, "e", hex.EncodeToString(batch[i].GUID[:]))
		}
		if r.IntN(3) == 0 {
			got, err := s.TakeKeys(ctx, []store.DeviceKey{d})
			if say(err, ""); !got[0].LastResort {
				say(nil, "t", fmt.Sprintf("%d-%d", d, got[0].OneTime.ID))
			}
		}
		if r.IntN(2) == 0 {
			page, err := s.Page(ctx, d, 0, 1+r.IntN(5))
			say(err, "")
			for _, e := range page {
				say(nil, "i", hex.EncodeToString(e.GUID[:]))
			}
			_, err = s.Ack(ctx, d, ids(page))
			for _, e := range page {
				say(err, "a", hex.EncodeToString(e.GUID[:]))
			}
		}
	}
}

// say writes one line with one system call, so that a line is there whole or not at all.
func say(err error, words ...string) {
	switch {
	case errors.Is(err, store.ErrQueueFull):
	case err != nil:
		fmt.Println("x", err)
		os.Exit(1)
	case words[0] != "":
		fmt.Println(strings.Join(words, " "))
	}
}

// word is what the store has promised so far.
type word struct {
	enqueued, intended, acked, taken map[string]bool
	lines                            int
}

// listen takes lines in until enough have come (then it kills the child) and the child's end.
func (w *word) listen(t *testing.T, cmd *exec.Cmd, enough int) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "e":
			w.enqueued[rest] = true
		case "i":
			w.intended[rest] = true
		case "a":
			w.acked[rest] = true
		case "t":
			if w.taken[rest] {
				t.Errorf("prekey %s was given twice", rest)
			}
			w.taken[rest] = true
		case "x":
			t.Errorf("the child says: %s", rest)
		}
		if w.lines++; n == enough {
			check(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

// kept compares the promises with what is there.
func (w *word) kept(t *testing.T, s store.Store) {
	t.Helper()
	there := map[string]bool{}
	for d := store.DeviceKey(1); d <= childDevices; d++ {
		for after := int64(0); ; {
			page := must[[]store.Envelope](t)(s.Page(t.Context(), d, after, store.MaxPage))
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				there[hex.EncodeToString(e.GUID[:])] = true
				after = e.ID
			}
		}
	}
	for g := range w.enqueued {
		if !there[g] && !w.intended[g] {
			t.Errorf("envelope %s was acknowledged and is lost", g)
		}
	}
	for g := range w.acked {
		if there[g] {
			t.Errorf("envelope %s was removed and is back", g)
		}
	}
}

func TestKillSQLite(t *testing.T) {
	testKill(t, "sqlite:"+filepath.Join(t.TempDir(), "store.db"), 50)
}

// With PostgreSQL, what a killed server leaves behind is half-done transactions.
func TestKillPostgres(t *testing.T) { testKill(t, peer.StartPostgres(t).Database(), 10) }

func testKill(t *testing.T, url string, kills int) {
	s := open(t, url)
	for i := range childDevices {
		_, d := register(t, s, fmt.Sprintf("+1415555900%d", i))
		check(t, s.SetKeys(t.Context(), d, upload(1, store.MaxOneTime)))
	}
	check(t, s.Close())
	w := &word{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, 0}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for n := range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), childURL+"="+url, fmt.Sprintf("%s=%d", childSeed, seed+uint64(n)))
		w.listen(t, cmd, 1+int(seed>>8+uint64(n)*7919)%300)
		s := open(t, url)
		w.kept(t, s)
		check(t, s.Close())
		if t.Failed() {
			t.Fatalf("after kill %d", n+1)
		}
	}
	t.Logf("%d kills: %d envelopes acknowledged, %d removed, %d prekeys taken", kills, len(w.enqueued), len(w.acked), len(w.taken))
	if len(w.enqueued) < 10*kills || len(w.acked) == 0 || len(w.taken) == 0 {
		t.Error("the children did too little to prove anything")
	}
}

// The database goes away in the middle (a crash of PostgreSQL itself: SIGQUIT, no checkpoint) and comes back: callers are told,
// nothing acknowledged is missing, and the same store goes on without being opened again.
func TestPostgresDownAndBack(t *testing.T) {
	pg := peer.StartPostgres(t)
	s := open(t, pg.Database())
	defer func() { _ = s.Close() }()
	_, d := register(t, s, alice)
	var mu sync.Mutex
	acknowledged, told := map[store.GUID]bool{}, 0
	n := 0
	burst := func(each int) {
		together(8, func(int) {
			for range each {
				mu.Lock()
				n++
				e := store.Envelope{Device: d, GUID: store.GUID{byte(n), byte(n >> 8)}}
				mu.Unlock()
				err := s.Enqueue(t.Context(), []store.Envelope{e}, now)[0]
				mu.Lock()
				switch {
				case err == nil:
					acknowledged[e.GUID] = true
				case errors.Is(err, store.ErrUnavailable):
					told++
				default:
					t.Errorf("got %v", err)
				}
				mu.Unlock()
			}
		})
	}
	burst(5)
	var during sync.WaitGroup
	during.Go(func() { burst(20) })
	pg.Stop(syscall.SIGQUIT)
	during.Wait()
	burst(1)
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) || told < 8 {
		t.Errorf("ping says %v, %d callers were told", err, told)
	}
	pg.Start()
	back := func() bool { // once the pool has noticed, connection by connection, all are taken
		if s.Ping(t.Context()) != nil {
			return false
		}
		before := len(acknowledged)
		burst(5)
		return len(acknowledged) == before+40
	}
	for end := time.Now().Add(2 * time.Minute); !back(); time.Sleep(50 * time.Millisecond) {
		if t.Failed() || time.Now().After(end) {
			t.Fatal("the database is back, and not all envelopes are taken")
		}
	}
	there := map[store.GUID]bool{}
	for after := int64(0); ; {
		page := must[[]store.Envelope](t)(s.Page(t.Context(), d, after, store.MaxPage))
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			there[e.GUID], after = true, e.ID
		}
	}
	for g := range acknowledged {
		if !there[g] {
			t.Errorf("envelope %x was acknowledged and is lost", g)
		}
	}
}
