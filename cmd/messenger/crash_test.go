//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

func (w *town) account(who string) string {
	return filepath.Join(w.dir, who, "messenger", "data", "accounts", "default")
}

// said is the ledger of one writer: message n, of the first to the last, is said until the daemon has answered, always under the same name.
type said struct {
	w         *town
	who, name string
	target    map[string]any
	file      string // goes along with every seventh
	pause     time.Duration
	most      func() int64 // message n is not written before this is n; nil: it writes as fast as it can
	answered  atomic.Int64
	again     atomic.Int64 // said once more, since the answer did not come
}

func (s *said) text(n int64) string { return fmt.Sprintf("%s %s %d", s.who, s.name, n) }

// write writes until it is told to stop. A send that was begun is finished.
func (s *said) write(stop context.Context) {
	var c *rpc.Client
	for n := int64(1); stop.Err() == nil; {
		if s.most != nil && s.most() < n {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if c == nil {
			var err error
			if c, err = rpc.Dial(s.w.Context(), s.w.account(s.who)); err != nil {
				time.Sleep(5 * time.Millisecond)
				continue
			}
		}
		params := map[string]any{"message": s.text(n), "once": s.text(n), "noWait": n%2 == 0}
		if n%7 == 0 && s.file != "" {
			params["attachments"] = []string{s.file}
		}
		for k, v := range s.target {
			params[k] = v
		}
		var sent rpc.Sent
		err := c.Call(s.w.Context(), "send", params, &sent)
		if err == nil {
			s.answered.Store(n)
			n++
			time.Sleep(s.pause)
			continue
		}
		var refused *rpc.Error
		if asRPC(err, &refused) && !strings.Contains(refused.Message, "context canceled") && !strings.Contains(refused.Message, "closed") {
			s.w.Errorf("%s: %v", s.text(n), err)
			break
		}
		s.again.Add(1)
		c.Close()
		c = nil
	}
	if c != nil {
		c.Close()
	}
}

func asRPC(err error, to **rpc.Error) bool {
	e, ok := err.(*rpc.Error)
	*to = e
	return ok
}

// shown counts what a daemon tells programs that listen, over all its lives.
type shown struct {
	mu    sync.Mutex
	times map[string]int // mu
}

func (s *shown) listen(w *town, who string, stop context.Context) {
	for stop.Err() == nil {
		c, err := rpc.Dial(stop, w.account(who))
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		over := context.AfterFunc(stop, func() { c.Close() })
		for n := range c.Notifications() {
			var p struct{ Envelope rpc.Envelope }
			if n.Method == "receive" && json.Unmarshal(n.Params, &p) == nil && p.Envelope.Data != nil {
				s.mu.Lock()
				s.times[p.Envelope.Data.Message]++
				s.mu.Unlock()
			}
		}
		over()
		c.Close()
	}
}

// Bob's daemon is killed (-9) again and again while it sends and receives, in conversations and a group, with files. Nothing is lost, nothing is shown twice, no
// session breaks. Mostly the daemon and its parent die together, also while they start; now and then the parent alone, whose child must leave by itself, or the child
// alone, which the parent brings back.
//
// MESSENGER_DRILL_KILLS makes it longer.
func TestDaemonKilledAgainAndAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	kills := 40
	if n, err := strconv.Atoi(os.Getenv("MESSENGER_DRILL_KILLS")); err == nil {
		kills = n
	}
	w := newTown(t, "--limit-factor", "0") // it writes more than a person
	alice, bob := w.register("alice"), w.register("bob")
	w.logged("alice")
	w.connected("alice").Close()
	w.run("bob", 0, "send", alice, "hello")
	w.await("the first message at Alice's", func() bool { out, _ := w.run("alice", 0, "messages", bob); return strings.Contains(out, "hello") })
	w.run("alice", 0, "send", bob, "hello back")
	out, _ := w.run("bob", 0, "group", "create", "Choir", alice)
	group := strings.TrimPrefix(strings.TrimSpace(out), "group:")
	w.await("the group at Alice's", func() bool { out, _ := w.run("alice", 0, "group", "list"); return strings.Contains(out, "Choir") })
	file := filepath.Join(w.dir, "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("a file of Bob's. ", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}

	// Alice, whom nobody disturbs, writes more slowly, and so many in a round at most: what Bob cannot take between two deaths would fill his queue at the server.
	const each = 10
	var rounds atomic.Int64
	most := func() int64 { return each * (rounds.Load() + 1) }
	writers := []*said{
		{w: w, who: "bob", name: "to her", target: map[string]any{"recipient": alice}, file: file},
		{w: w, who: "bob", name: "to all", target: map[string]any{"groupId": group}},
		{w: w, who: "alice", name: "to him", target: map[string]any{"recipient": bob}, pause: 100 * time.Millisecond, most: most},
		{w: w, who: "alice", name: "to all", target: map[string]any{"groupId": group}, pause: 100 * time.Millisecond, most: most},
	}
	heard := map[string]*shown{"alice": {times: map[string]int{}}, "bob": {times: map[string]int{}}}
	stop, cancel := context.WithCancel(t.Context())
	var writing, listening sync.WaitGroup
	for _, s := range writers {
		writing.Go(func() { s.write(stop) })
	}
	listen, deaf := context.WithCancel(t.Context())
	for who, s := range heard {
		listening.Go(func() { s.listen(w, who, listen) })
	}
	defer func() { cancel(); deaf(); writing.Wait(); listening.Wait() }()

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	began, daemon := time.Now(), w.logged("bob")
	for n := range kills {
		rounds.Store(int64(n))
		at := writers[n%2].answered.Load()
		if n%4 != 3 { // otherwise while it starts
			w.await("Bob's daemon sends", func() bool { return writers[n%2].answered.Load() > at })
		}
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond) // not always at the same place
		switch child := w.child(daemon); {
		case n%10 == 4 && child > 0:
			_ = syscall.Kill(child, syscall.SIGKILL)
			continue
		case n%10 == 8:
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
		default:
			w.kill(daemon)
		}
		daemon = w.logged("bob")
	}
	took := time.Since(began)
	for _, s := range writers { // a slow machine may have got little done between two deaths
		w.await(fmt.Sprintf("%s %s: a message for each round", s.who, s.name), func() bool { return s.answered.Load() >= int64(kills) })
	}
	cancel()
	writing.Wait()
	for _, who := range []string{"alice", "bob"} {
		c := w.connected(who)
		t.Cleanup(func() { w.stuck(who, bob, alice, "Choir") })
		w.await("nothing is queued at "+who+"'s", func() bool { var s rpc.Status; return c.Call(t.Context(), "status", nil, &s) == nil && s.Queued == 0 })
		c.Close()
	}
	total, again := int64(0), int64(0)
	for _, s := range writers {
		total, again = total+s.answered.Load(), again+s.again.Load()
	}
	hasAll := func(got map[string]int) bool {
		for _, s := range writers {
			for n := int64(1); n <= s.answered.Load(); n++ {
				if got[s.text(n)] == 0 {
					return false
				}
			}
		}
		return true
	}
	w.await("all messages at both", func() bool { return hasAll(w.texts("alice", bob, group)) && hasAll(w.texts("bob", alice, group)) })
	deaf()
	listening.Wait()
	for who, other := range map[string]string{"alice": bob, "bob": alice} {
		got := w.texts(who, other, group)
		for _, s := range writers {
			for n := int64(1); n <= s.answered.Load(); n++ {
				if times := got[s.text(n)]; times != 1 {
					t.Errorf("%s has %q %d times", who, s.text(n), times)
				}
				delete(got, s.text(n))
			}
			delete(got, s.text(s.answered.Load()+1)) // taken, and not answered before the end
		}
		delete(got, "hello")
		delete(got, "hello back")
		if len(got) > 0 {
			t.Errorf("%s has what nobody wrote: %.300v", who, got)
		}
		for text, times := range heard[who].times {
			if times > 1 {
				t.Errorf("%s was told of %q %d times", who, text, times)
			}
		}
		log, err := os.ReadFile(filepath.Join(w.dir, who+".log"))
		if err != nil || strings.Contains(string(log), "not readable") || strings.Contains(string(log), "panic") {
			t.Errorf("the log of %s's daemon: %v\n%s", who, err, grep(string(log), "not readable", "panic"))
		}
	}
	if n, want := w.files("alice", bob, file), int(writers[0].answered.Load()/7); n < want || n > want+1 {
		t.Errorf("Alice has %d files of Bob's, want %d", n, want)
	}
	w.says("alice", "sent to "+bob, "send", bob, "and now?")
	w.says("bob", "sent to "+alice, "send", alice, "all is well")
	t.Logf("%d kills in %v: %d messages, %d of them said again", kills, took.Round(time.Second), total, again)
}

func grep(text string, words ...string) (out string) {
	for line := range strings.Lines(text) {
		for _, word := range words {
			if strings.Contains(line, word) {
				out += line
			}
		}
	}
	return out
}

// logged starts somebody's daemon, which writes into a log of theirs, and does not wait for it.
func (w *town) logged(who string) *exec.Cmd {
	w.Helper()
	log, err := os.OpenFile(filepath.Join(w.dir, who+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.Fatal(err)
	}
	defer log.Close()
	cmd := w.program("messenger", who, "daemon")
	cmd.Stdout, cmd.Stderr = log, log
	w.begin(cmd)
	return cmd
}

// child is the process that does a daemon's work; 0: none yet.
func (w *town) child(daemon *exec.Cmd) (pid int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", daemon.Process.Pid))
	if err == nil {
		_, _ = fmt.Sscan(string(b), &pid)
	}
	return pid
}

func (w *town) await(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("waited in vain: %s", what)
		}
	}
}

// connected waits until somebody's daemon is connected.
func (w *town) connected(who string) (c *rpc.Client) {
	w.Helper()
	w.await(who+"'s daemon is connected", func() bool {
		var err error
		if c, err = rpc.Dial(w.Context(), w.account(who)); err != nil {
			return false
		}
		var status rpc.Status
		if err = c.Call(w.Context(), "status", nil, &status); err == nil && status.Connected {
			return true
		}
		c.Close()
		return false
	})
	return c
}

// texts counts what somebody has in a conversation and a group. What we are told besides must be about the group.
func (w *town) texts(who, other, group string) map[string]int {
	w.Helper()
	c := w.connected(who)
	defer c.Close()
	out := map[string]int{}
	for _, target := range []map[string]any{{"recipient": other}, {"groupId": group}} {
		for _, m := range w.messages(c, target) {
			if m.Kind == history.Text {
				out[m.Body]++
			} else if !strings.HasPrefix(m.Notice, "group") {
				w.Errorf("%s is told: %s %s", who, m.Notice, m.Body)
			}
		}
	}
	return out
}

// messages are all of a conversation.
func (w *town) messages(c *rpc.Client, target map[string]any) (all []*history.Message) {
	w.Helper()
	target["limit"], target["before"] = 1000, int64(0)
	for {
		var list []*history.Message
		if err := c.Call(w.Context(), "listMessages", target, &list); err != nil {
			w.Fatal(err)
		}
		if len(list) == 0 {
			return all
		}
		all = append(all, list...)
		target["before"] = slices.MinFunc(list, func(a, b *history.Message) int { return cmp.Compare(a.Seq, b.Seq) }).Seq
	}
}

// stuck tells, when all has failed, what somebody could not send.
func (w *town) stuck(who string, others ...string) {
	if !w.Failed() {
		return
	}
	for _, other := range others {
		var list []*history.Message
		out, _ := w.run(who, 0, "messages", "--json", "--limit", "1000", other) // a group by its name
		if json.Unmarshal([]byte(out), &list) != nil {
			w.Log(out)
		}
		for _, m := range list {
			if m.Outgoing && !m.State().State.Reached(history.Sent) {
				w.Logf("%s: %q is %+v", who, m.Body, m.Delivery)
			}
		}
	}
	log, _ := os.ReadFile(filepath.Join(w.dir, who+".log"))
	w.Logf("%s: %.3000s", who, grep(string(log), "WARN", "ERROR", "wait"))
}

// files fetches every file of a conversation and wants each to be the one that was sent.
func (w *town) files(who, other, want string) (n int) {
	w.Helper()
	c := w.connected(who)
	defer c.Close()
	sent, err := os.ReadFile(want)
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range w.messages(c, map[string]any{"recipient": other}) {
		for i := range m.Attachments {
			n++
			var saved struct{ Path string }
			if err := c.Call(w.Context(), "saveAttachment", map[string]any{"id": fmt.Sprintf("%d/%d", m.Seq, i), "directory": w.dir}, &saved); err != nil {
				w.Errorf("%s: %v", m.Body, err)
			} else if got, err := os.ReadFile(saved.Path); err != nil || !bytes.Equal(got, sent) {
				w.Errorf("%s: another file than was sent, %v", m.Body, err)
			}
		}
	}
	return n
}
