package client_test

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// BenchmarkFigures prints what design 13 and the issue ask for, once, in some minutes: go test -run '^$' -bench Figures -benchtime 1x
func BenchmarkFigures(t *testing.B) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	row := func(what, format string, args ...any) {
		fmt.Printf("%-52s "+format+"\n", append([]any{what}, args...)...)
	}

	left := func(m *history.Message) {
		t.Helper()
		for range 60 { // a large file takes its time on a busy machine
			now, err := alice.acc.Message(t.Context(), m.Seq)
			if err != nil || now.State().State == history.Failed {
				t.Fatal(now.State(), err)
			}
			if now.State().State.Reached(history.Sent) {
				return
			}
			for range 100 {
				if time.Sleep(10 * time.Millisecond); alice.reached(m, history.Sent) {
					return
				}
			}
		}
		t.Fatal("not sent in a minute")
	}
	start := time.Now()
	const warm = 100
	for i := range warm {
		left(alice.says(bob.number, fmt.Sprint(i)))
	}
	row("send, until the server has it (mean of 100)", "%8.1f ms (polled every 10)", float64(time.Since(start).Microseconds())/warm/1000)

	catchUp(w, alice, bob, left, row)

	debug.FreeOSMemory()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	row("Go memory in use: server and two accounts", "%8.1f MB", float64(mem.HeapInuse)/1e6)
	for _, size := range []int64{1 << 20, 100 << 20} {
		path := filepath.Join(t.TempDir(), "file")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		f.Close()
		stop, peak := watchMemory()
		start = time.Now()
		m, err := alice.acc.Send(t.Context(), client.Draft{To: bob.number, Files: []client.File{{Path: path}}})
		if err != nil {
			t.Fatal(err)
		}
		left(m)
		w.waitFor("the file's message", func() bool { got, _ := bob.acc.Find(t.Context(), alice.number, m.Timestamp); return got != nil })
		got, _ := bob.acc.Find(t.Context(), alice.number, m.Timestamp)
		if err := bob.acc.Download(t.Context(), got.Attachments[0], io.Discard, nil); err != nil {
			t.Fatal(err)
		}
		stop()
		row(fmt.Sprintf("file of %d MiB there and back", size>>20), "%8.0f ms, Go heap at most %.0f MB (server and both)", float64(time.Since(start).Milliseconds()), float64(*peak)/1e6)
	}
	figuresOfGroups(w, alice, row)
}

// catchUp sends 10,000 messages to somebody who is not there, and lets him come. The server keeps 1,000 for a device, so he comes a dozen times.
func catchUp(w *world, alice, bob *device, left func(*history.Message), row func(what, format string, args ...any)) {
	const all = 10_000
	var sending, catching time.Duration
	for n := all; n > 0; n -= 900 {
		bob.offline()
		start := time.Now()
		var last *history.Message
		for i := range min(n, 900) { // receipts wait there, too
			last = alice.says(bob.number, fmt.Sprint("backlog ", i))
		}
		left(last)
		sending += time.Since(start)
		start = time.Now()
		bob.online()
		for m := (*history.Message)(nil); m == nil; {
			if time.Since(start) > time.Minute {
				w.Fatal("not there in a minute")
			}
			time.Sleep(time.Millisecond)
			m, _ = bob.acc.Find(w.Context(), alice.number, last.Timestamp)
		}
		catching += time.Since(start)
	}
	row("queueing and sending 10,000 messages, each", "%8.2f ms", float64(sending.Microseconds())/all/1000)
	row("catching up with 10,000 messages, 900 at a time", "%8.2f s", catching.Seconds())
}

// BenchmarkCatchUp is for a profile of that.
func BenchmarkCatchUp(t *testing.B) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	catchUp(w, alice, bob, func(m *history.Message) {
		w.waitFor("sending", func() bool { return alice.reached(m, history.Sent) })
	}, func(what, format string, args ...any) {
		fmt.Printf("%-52s "+format+"\n", append([]any{what}, args...)...)
	})
}

// BenchmarkFiguresOfBackup backs a million messages up, and restores them.
func BenchmarkFiguresOfBackup(t *testing.B) {
	w := newWorld(t)
	alice := w.person("alice")
	alice.offline()
	const n = 1_000_000
	if err := client.FillForTest(t.Context(), alice.acc, "+49555", n); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "backup"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seed, err := archive.NewSeed(crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	report := func(what string, f func() (int, error)) {
		debug.FreeOSMemory()
		stop, peak := watchMemory()
		start := time.Now()
		got, err := f()
		if stop(); err != nil || got < n {
			t.Fatal(what, got, err)
		}
		fmt.Printf("%-52s %8.1f s, at most %.0f MB of heap\n", fmt.Sprint(what, " of ", n, " messages"), time.Since(start).Seconds(), float64(*peak)/1e6)
	}
	report("backup", func() (int, error) { return alice.acc.Backup(t.Context(), f, seed) })
	alice.close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
	report("restore", func() (int, error) {
		acc, got, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), f, seed)
		if err == nil {
			again.use(acc)
		}
		return got, err
	})
}

// BenchmarkFiguresOfHistory prints those of a store that grows.
func BenchmarkFiguresOfHistory(t *testing.B) {
	figuresOfHistory(t, func(what, format string, args ...any) {
		fmt.Printf("%-52s "+format+"\n", append([]any{what}, args...)...)
	})
}

// figuresOfGroups sends into groups of so many other members, below the line of sender keys and above.
func figuresOfGroups(w *world, alice *device, row func(what, format string, args ...any)) {
	var numbers []string
	for _, n := range []int{19, 20, 149} {
		for len(numbers) < n {
			d := w.person(fmt.Sprint("member ", len(numbers)))
			d.offline() // what is measured is the sender
			numbers = append(numbers, d.number)
		}
		id, err := alice.acc.CreateGroup(w.Context(), "group", numbers)
		if err != nil {
			w.Fatal(err)
		}
		send := func(text string) float64 {
			start := time.Now()
			m := alice.says(id, text)
			for !alice.reached(m, history.Sent) {
				if time.Sleep(time.Millisecond); time.Since(start) > time.Minute {
					w.Fatal("not sent in a minute")
				}
			}
			return float64(time.Since(start).Microseconds()) / 1000
		}
		first := send("first")
		row(fmt.Sprintf("group of %d others: first message, then each", n), "%8.0f ms, %8.1f ms", first, (send("a")+send("b")+send("c"))/3)
	}
}

// BenchmarkFiguresOfTranscripts tells what a message costs a group's transcript when there are so many already: go test -run '^$' -bench FiguresOfTranscripts -benchtime 1x
func BenchmarkFiguresOfTranscripts(t *testing.B) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	id := alice.founds("friends", bob)
	alice.says(id, "hello")
	bob.sees(id, "[group]", "hello")
	alice.offline()
	last := &transcript.Message{Author: transcript.Author{Member: bob.number, Device: 1, Install: 5}}
	for _, n := range []int{1000, 10_000, 100_000} {
		var size int
		var err error
		if last, _, err = client.HearForTest(t.Context(), alice.acc, id, last, n-int(last.Counter), false); err != nil {
			t.Fatal(err)
		}
		const each = 20
		start := time.Now()
		if last, size, err = client.HearForTest(t.Context(), alice.acc, id, last, each, true); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%7d messages: the stored view has %9d bytes, and each further message takes %6.2f ms\n", n, size, time.Since(start).Seconds()*1000/each)
	}
}

func (d *device) reached(m *history.Message, s history.State) bool {
	now, err := d.acc.Message(d.Context(), m.Seq)
	return err == nil && now.State().State.Reached(s)
}

// watchMemory samples the heap.
func watchMemory() (stop func(), peak *uint64) {
	peak = new(uint64)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			*peak = max(*peak, m.HeapInuse)
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-ended }, peak
}

// figuresOfHistory grows a store to a million messages of 16 words each, of 20,000 words that are as unevenly frequent as those of a language.
func figuresOfHistory(t testing.TB, row func(what, format string, args ...any)) {
	dir := t.TempDir()
	s, err := store.Create(t.Context(), dir, []byte("x"), store.Usual())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	words := vocabulary(r)
	often := rand.NewZipf(r, 1.1, 3, uint64(len(words)-1))
	text := func() string {
		var list []string
		for range 16 {
			list = append(list, words[often.Uint64()])
		}
		return strings.Join(list, " ")
	}
	stored := 0
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		var storing time.Duration
		grown := n - stored
		for stored < n {
			start := time.Now()
			if err := s.Update(t.Context(), func(tx *store.Tx) error {
				for range 1000 {
					stored++
					m := &history.Message{Conversation: fmt.Sprint("+", stored%50), Kind: history.Text, Author: "+1", Timestamp: uint64(stored), Received: int64(stored), Body: text()}
					if stored == 2000 {
						m.Body += " onlyhere"
					}
					if _, err := history.Add(tx, m); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			storing += time.Since(start)
		}
		segments, slowest, start := 0, time.Duration(0), time.Now()
		for more := true; more; {
			begin := time.Now()
			if err := s.Update(t.Context(), func(tx *store.Tx) error {
				segment, some, _, err := history.Unindexed(tx)
				if more = some; err != nil || !some {
					return err
				}
				segments++
				return history.Index(tx, segment)
			}); err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, time.Since(begin))
		}
		indexing := time.Since(start)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		debug.FreeOSMemory()
		start = time.Now()
		if s, err = store.Open(context.Background(), dir, []byte("x")); err != nil {
			t.Fatal(err)
		}
		opened := time.Since(start)
		debug.FreeOSMemory() // of the passphrase's 64 MiB
		stop, peak := watchMemory()
		start = time.Now()
		var list []*history.Message
		if err := s.View(t.Context(), func(tx *store.Tx) error { list, err = history.List(tx, "+7", 0, 50); return err }); err != nil || len(list) != 50 {
			t.Fatal(len(list), err)
		}
		page := time.Since(start)
		search := func(query, conversation string, limit, want int) float64 {
			start := time.Now()
			if err := s.View(t.Context(), func(tx *store.Tx) error {
				list, err = history.Search(tx, query, conversation, 0, limit)
				return err
			}); err != nil || want >= 0 && len(list) != want {
				t.Fatal(query, len(list), err)
			}
			return float64(time.Since(start).Microseconds()) / 1000
		}
		nowhere, once, two := search("nowherefound", "", 10, 0), search("ONLYHERE", "", 10, 1), search("qx", "", 10, -1)
		common, inOne, both := search(words[0], "", 50, 50), search(words[5000], "+7", 50, -1), search(words[3000]+" "+words[4000], "", 50, -1)
		stop()
		info, _ := os.Stat(filepath.Join(dir, "account.db"))
		row(fmt.Sprintf("%d stored messages", n), "%.0f µs each to store, %.0f µs to index (at most %.0f ms at a time), file %.0f MB; open %.0f ms, newest 50 of a conversation %.1f ms, at most %.0f MB of heap",
			float64(storing.Microseconds())/float64(grown), float64(indexing.Microseconds())/float64(segments*store.SegmentSize), float64(slowest.Microseconds())/1000,
			float64(info.Size())/1e6, float64(opened.Milliseconds()), float64(page.Microseconds())/1000, float64(*peak)/1e6)
		row("  search", "nothing there %.0f ms, one old message %.0f ms, two letters %.0f ms, a frequent word %.1f ms, a rare one in a conversation %.0f ms, two rare ones %.0f ms",
			nowhere, once, two, common, inOne, both)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func vocabulary(r *rand.Rand) (words []string) {
	for range 20_000 {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			b.WriteString(string([]byte{"bcdfghklmnprstvwz"[r.IntN(17)], "aeiou"[r.IntN(5)], "lmnrst"[r.IntN(6)]}[:2+r.IntN(2)]))
		}
		words = append(words, b.String())
	}
	return words
}
