package history_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// The child of TestKilledWhileIndexing: it indexes what there is, deletes a message, and so on, and says each step.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HISTORY_TEST_CHILD"); dir != "" {
		fmt.Println("stopped:", churn(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func churn(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dir, []byte("x"))
	if err != nil {
		return err
	}
	for n := int64(1); ; n++ {
		if err := s.Update(ctx, func(tx *store.Tx) error {
			segment, some, _, err := history.Unindexed(tx)
			if err != nil || !some {
				return err
			}
			return history.Index(tx, segment)
		}); err != nil {
			return err
		}
		fmt.Println(n)
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.DeleteMessage(n * 37 % (2 * store.SegmentSize)) }); err != nil {
			return err
		}
	}
}

// Killed at any moment, an index is whole or not there: it finds what a scan finds, and goes on where it was.
func TestKilledWhileIndexing(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Create(t.Context(), dir, []byte("x"), store.Cost{Time: 1, Memory: 8, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	in(t, s, func(tx *store.Tx) error {
		for i := range 2 * store.SegmentSize {
			if _, err := history.Add(tx, &history.Message{Conversation: "+1", Kind: history.Text, Author: "+1", Timestamp: uint64(i + 1), Body: "number " + strconv.Itoa(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	s.Close()
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "HISTORY_TEST_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n <= round && lines.Scan(); n++ {
			if _, err := strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if s, err = store.Open(t.Context(), dir, []byte("x")); err != nil {
			t.Fatal(err)
		}
		found := find(t, s, "umber 7", "", 0, 5000)
		indexAll(t, s)
		whole := find(t, s, "umber 7", "", 0, 5000)
		in(t, s, func(tx *store.Tx) error {
			for segment := range int64(2) {
				if err := tx.DropIndex(segment); err != nil {
					return err
				}
			}
			return nil
		})
		if scan := find(t, s, "umber 7", "", 0, 5000); len(scan) == 0 || !reflect.DeepEqual(found, scan) || !reflect.DeepEqual(whole, scan) {
			t.Fatalf("round %d: %d found, %d by a whole index, %d by a scan", round, len(found), len(whole), len(scan))
		}
		s.Close()
	}
}
