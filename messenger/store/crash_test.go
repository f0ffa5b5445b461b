package store_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/store"
)

// The child of TestKilled: it counts up, in a session and in a message of one transaction, and says each number that is committed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_TEST_CHILD"); dir != "" {
		fmt.Println("stopped:", count(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func count(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dir, []byte("swordfish"))
	if err != nil {
		return err
	}
	for {
		var n uint64
		err := s.Update(ctx, func(tx *store.Tx) error {
			v, ok, err := tx.Get(store.Sessions, "bob.1")
			if err != nil {
				return err
			}
			if ok {
				n = binary.BigEndian.Uint64(v)
			}
			n++
			if err := tx.Put(store.Sessions, "bob.1", binary.BigEndian.AppendUint64(nil, n)); err != nil {
				return err
			}
			_, added, err := tx.AddMessage("bob", fmt.Sprint("bob ", n), fmt.Append(nil, n))
			if err == nil && !added {
				err = fmt.Errorf("message %d was there before its session", n)
			}
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// Killed at any moment, a store has every number its process has said, and session and messages agree.
func TestKilled(t *testing.T) {
	s, dir := create(t)
	s.Close()
	said := uint64(0)
	for round := range 15 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORE_TEST_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n <= 3+round*2 && lines.Scan(); n++ {
			if said, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said
			if n, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64); err == nil {
				said = n
			}
		}
		_ = cmd.Wait()
		s = reopen(t, s, dir)
		var have, messages uint64
		err = s.View(t.Context(), func(tx *store.Tx) error {
			v, _, err := tx.Get(store.Sessions, "bob.1")
			if err != nil {
				return err
			}
			have = binary.BigEndian.Uint64(v)
			return tx.Messages("bob", 0, func(store.Row) (bool, error) { messages++; return true, nil })
		})
		if err != nil || have < said || have != messages {
			t.Fatalf("round %d: said %d, session %d, messages %d, %v", round, said, have, messages, err)
		}
		s.Close()
	}
	if said < 100 {
		t.Errorf("only %d commits in all rounds", said)
	}
}
