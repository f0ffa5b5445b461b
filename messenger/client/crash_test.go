package client_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/session"
)

// The child of TestKilledAgainAndAgain: Bob's program, which receives, and writes one message after the other, each with the next number.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CLIENT_TEST_LISTENER"); dir != "" {
		fmt.Println("ended:", listen(dir))
		os.Exit(1)
	}
	if dir := os.Getenv("CLIENT_TEST_CHILD"); dir != "" {
		fmt.Println("ended:", scribble(dir, os.Getenv("CLIENT_TEST_TO")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func openChild(ctx context.Context, dir string) (*client.Account, error) {
	return client.Open(ctx, client.Options{Dir: dir, World: session.World{Now: time.Now, Rand: rand.Reader}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Pause: 5 * time.Millisecond}, []byte("passphrase"))
}

// listen says each message that has come.
func listen(dir string) error {
	ctx := context.Background()
	a, err := openChild(ctx, dir)
	if err != nil {
		return err
	}
	sub := a.Subscribe()
	go func() { fmt.Println("ended:", a.Run(ctx, nil)) }()
	for {
		e, ok := sub.Next(ctx)
		if !ok {
			return fmt.Errorf("no more events")
		}
		if e.Type == client.EventMessage {
			fmt.Println(e.Message.Body)
		}
	}
}

func scribble(dir, to string) error {
	ctx := context.Background()
	a, err := openChild(ctx, dir)
	if err != nil {
		return err
	}
	go func() { fmt.Println("ended:", a.Run(ctx, nil)) }()
	list, err := a.Messages(ctx, to, 0, 100_000)
	if err != nil {
		return err
	}
	n := 0
	for _, m := range list {
		if m.Outgoing {
			n++
		}
	}
	for {
		n++
		if _, err := a.Send(ctx, client.Draft{To: to, Text: strconv.Itoa(n)}); err != nil {
			return err
		}
		fmt.Println(n)
		time.Sleep(3 * time.Millisecond)
	}
}

// Killed again and again while it sends and receives, a program loses no message, shows none twice, and breaks no session. CRASH_ROUNDS says how often; 200
// take some minutes.
func TestKilledAgainAndAgain(t *testing.T) {
	rounds := 15
	if n, err := strconv.Atoi(os.Getenv("CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	bob.close()
	said, sent := 0, 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CLIENT_TEST_CHILD="+bob.dir, "CLIENT_TEST_TO="+alice.number)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 3+round*7%11 && lines.Scan(); n++ {
			number, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(lines.Text())
			}
			said = number
			sent++
			alice.says(bob.number, strconv.Itoa(sent))
		}
		time.Sleep(time.Duration(round%7) * 3 * time.Millisecond) // not always at the same place
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			if number, err := strconv.Atoi(lines.Text()); err == nil {
				said = number
			}
		}
		_ = cmd.Wait()
	}
	bob.restore(nil)
	bob.online()
	heard := func(d, from *device) map[string]int {
		out := map[string]int{}
		list, err := d.acc.Messages(t.Context(), from.number, 0, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.Kind == history.Notice {
				t.Errorf("%s is told: %s", d.name, m.Body)
			}
			if !m.Outgoing && !strings.HasPrefix(m.Body, "hello") {
				out[m.Body]++
			}
		}
		return out
	}
	first := 2 // his greeting was his first
	w.waitFor("all of Bob's messages at Alice's", func() bool { return len(heard(alice, bob)) >= said-first+1 })
	w.waitFor("all of Alice's messages at Bob's", func() bool { return len(heard(bob, alice)) == sent })
	got := heard(alice, bob)
	for n := first; n < first+len(got); n++ {
		if got[strconv.Itoa(n)] == 0 {
			t.Errorf("message %d of Bob is lost", n)
		}
	}
	for d, from := range map[*device]*device{alice: bob, bob: alice} {
		for text, n := range heard(d, from) {
			if n != 1 {
				t.Errorf("%s sees %s %d times", d.name, text, n)
			}
		}
	}
	alice.state(alice.says(bob.number, "hello again"), history.Delivered)
	if said < rounds {
		t.Errorf("only %d messages in %d rounds", said, rounds)
	}
	t.Logf("%d rounds, %d messages from Bob, %d to him", rounds, said, sent)
}

// Killed while it catches up, with many messages in one transaction, a program has all of those it has told of, and asks for the rest again: each is there
// once, in the order of its author, and no session is broken.
func TestKilledWhileCatchingUp(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	bob.close()
	sent, told := 0, 0
	want := []string{"hello", "hello back"}
	for round := range 6 {
		var last *history.Message
		for range 150 {
			sent++
			want = append(want, strconv.Itoa(sent))
			last = alice.says(bob.number, strconv.Itoa(sent))
		}
		alice.state(last, history.Sent)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CLIENT_TEST_LISTENER="+bob.dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		hear := func() bool {
			if !lines.Scan() {
				return false
			}
			if n, err := strconv.Atoi(lines.Text()); err != nil || n != told+1 {
				t.Fatalf("after %d the child says %q", told, lines.Text())
			}
			told++
			return true
		}
		for n := 0; n <= round*20 && hear(); n++ {
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for hear() {
		}
		_ = cmd.Wait()
		bob.restore(nil)
		list := bob.conversation(alice.number)
		if have := len(list) - 2; have < told {
			t.Fatalf("round %d: told of %d, and has %d", round, told, have)
		}
		told = len(list) - 2 // what was committed and not told any more
		bob.close()
	}
	bob.restore(nil)
	bob.online()
	bob.sees(alice.number, want...)
	alice.state(alice.says(bob.number, "still well?"), history.Delivered)
}

// One envelope that cannot be read spoils no other that came with it.
func TestUnreadableAmongMany(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	bob.offline()
	for _, text := range []string{"one", "two"} {
		alice.state(alice.says(bob.number, text), history.Sent)
	}
	if err := client.SendForTest(t.Context(), alice.acc, bob.number, 7); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"three", "four"} {
		alice.state(alice.says(bob.number, text), history.Sent)
	}
	bob.online()
	bob.sees(alice.number, "hello", "hello back", "one", "two", "[unreadable]", "three", "four")
	alice.state(alice.says(bob.number, "five"), history.Delivered)
}
