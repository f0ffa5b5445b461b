package history_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
)

// indexAll makes what is missing and returns how many segments that were.
func indexAll(t testing.TB, s *store.Store) (n int) {
	t.Helper()
	for more := true; more; {
		in(t, s, func(tx *store.Tx) error {
			segment, some, _, err := history.Unindexed(tx)
			if more = some; err != nil || !some {
				return err
			}
			n++
			return history.Index(tx, segment)
		})
	}
	return n
}

func find(t testing.TB, s *store.Store, query, conversation string, before int64, limit int) (out []uint64) {
	t.Helper()
	err := s.View(t.Context(), func(tx *store.Tx) error {
		found, err := history.Search(tx, query, conversation, before, limit)
		for _, m := range found {
			out = append(out, m.Timestamp)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// syllables make words of many scripts, with and without blanks between.
var syllables = strings.Fields("a be cafe café e\u0301te ÉT ss ß STRASSE zq qz 橋 古い 猫が 犬 ко шка Кошка ελ ΛΗ한 글 ﬁ ﬀ \u212a ＡＢ ـ ab bc . ! 😀 👍🏽 \ufffd")

func text(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(syllables[r.IntN(len(syllables))])
		if r.IntN(3) == 0 {
			b.WriteString([]string{" ", "\n", "\u3000", "\t"}[r.IntN(4)])
		}
	}
	return b.String()
}

// What an index finds is what looking at every message finds, in the same order: whatever the texts are, and after edits and deletions.
func TestAnIndexFindsWhatAScanFinds(t *testing.T) {
	s := newStore(t)
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	const n = 2*store.SegmentSize + 700
	in(t, s, func(tx *store.Tx) error {
		for i := range n {
			m := &history.Message{Conversation: fmt.Sprint("+", r.IntN(3)), Kind: history.Text, Author: "+1", Timestamp: uint64(i + 1), Body: text(r)}
			if i%10 == 0 {
				m.Attachments = []history.Attachment{{FileName: text(r), Caption: text(r)}}
			}
			if i%50 == 0 {
				m.Kind, m.Notice = history.Notice, "x"
			}
			if _, err := history.Add(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	type question struct {
		query, conversation string
		before              int64
		limit               int
	}
	var questions []question
	for i := range 80 {
		q := question{query: text(r), limit: 1 + r.IntN(400)}
		if runes := []rune(q.query); len(runes) > 6 {
			q.query = string(runes[2 : 2+1+r.IntN(4)])
		}
		if i%3 == 0 {
			q.conversation = fmt.Sprint("+", r.IntN(4))
		}
		if i%4 == 0 {
			q.before = 1 + r.Int64N(n+100)
		}
		questions = append(questions, q)
	}
	answers := func() (out [][]uint64) {
		for _, q := range questions {
			out = append(out, find(t, s, q.query, q.conversation, q.before, q.limit))
		}
		return out
	}
	drop := func() {
		in(t, s, func(tx *store.Tx) error {
			for segment := range int64(3) {
				if err := tx.DropIndex(segment); err != nil {
					return err
				}
			}
			return nil
		})
	}
	some := 0
	compare := func(when string, scan [][]uint64) {
		t.Helper()
		for i, got := range answers() {
			if some += len(got); !reflect.DeepEqual(got, scan[i]) {
				t.Fatalf("%s: %+v: the index finds %v, a scan %v", when, questions[i], got, scan[i])
			}
		}
	}
	scan := answers()
	if made := indexAll(t, s); made != 2 {
		t.Fatalf("%d segments", made)
	}
	compare("new", scan)
	in(t, s, func(tx *store.Tx) error {
		for range 40 {
			m, err := history.Get(tx, 1+r.Int64N(n))
			if err != nil || m == nil {
				return err
			}
			switch r.IntN(3) {
			case 0:
				m.Edit(text(r), m.Timestamp+1_000_000)
			case 1:
				m.Delete()
			default:
				if err := tx.DeleteMessage(m.Seq); err != nil {
					return err
				}
				continue
			}
			if err := history.Set(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	changed := answers() // by the index as it is after these changes
	if made := indexAll(t, s); made == 0 {
		t.Error("a change of texts has dropped no index")
	}
	again := answers()
	drop()
	compare("changed", changed)
	compare("indexed again", again)
	if some < 3_000 {
		t.Errorf("only %d found in all", some)
	}
}

// A state that changes leaves the index; another text, or a deletion, drops it at once, so that no word of a deleted message stays in it.
func TestAnIndexForgets(t *testing.T) {
	s := newStore(t)
	in(t, s, func(tx *store.Tx) error {
		for i := range store.SegmentSize {
			if _, err := history.Add(tx, &history.Message{Conversation: "+1", Kind: history.Text, Author: "+1", Timestamp: uint64(i + 1), Body: "plain"}); err != nil {
				return err
			}
		}
		return nil
	})
	has := func(want bool, after string) {
		t.Helper()
		err := s.View(t.Context(), func(tx *store.Tx) error {
			got, err := tx.HasIndex(0)
			if got != want {
				t.Errorf("after %s there is an index: %v", after, got)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	change := func(after string, want bool, f func(*store.Tx, *history.Message) error) {
		t.Helper()
		indexAll(t, s)
		has(true, "indexing")
		in(t, s, func(tx *store.Tx) error {
			m, err := history.Get(tx, 7)
			if err != nil {
				return err
			}
			return f(tx, m)
		})
		has(want, after)
	}
	change("a receipt", true, func(tx *store.Tx, m *history.Message) error {
		m.Deliver("+2", history.Delivery{State: history.Read})
		return history.Set(tx, m)
	})
	change("an edit", false, func(tx *store.Tx, m *history.Message) error {
		m.Edit("ornate", 1_000_000)
		return history.Set(tx, m)
	})
	if got := fmt.Sprint(find(t, s, "ORN", "", 0, 10)); got != "[7]" {
		t.Error(got)
	}
	change("taking it back", false, func(tx *store.Tx, m *history.Message) error { m.Delete(); return history.Set(tx, m) })
	change("a deletion", false, func(tx *store.Tx, m *history.Message) error { return tx.DeleteMessage(m.Seq) })
}

func TestSearchAcrossScripts(t *testing.T) {
	s := newStore(t)
	in(t, s, func(tx *store.Tx) error {
		for i, body := range []string{"Café Müller", "Cafe\u0301 am Eck", "我喜欢古老的桥", "ＡＢＣ 全角", "Кошка", "naïve", "x", "\x00nul\x00byte"} {
			if _, err := history.Add(tx, &history.Message{Conversation: "+1", Kind: history.Text, Author: "+1", Timestamp: uint64(i + 1), Body: body}); err != nil {
				return err
			}
		}
		for i := range store.SegmentSize {
			if _, err := history.Add(tx, &history.Message{Conversation: "+1", Kind: history.Text, Author: "+1", Timestamp: uint64(i + 100), Body: "-"}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, how := range []string{"by scan", "by index"} {
		for query, want := range map[string]string{
			"cafe": "[2 1]", "CAFÉ": "[2 1]", "cafe\u0301 mu": "[1]", "古老": "[3]", "桥": "[3]", "喜欢 桥": "[3]", "abc": "[4]", "全": "[4]", "кош": "[5]", "NAIVE": "[6]", "aïv": "[6]",
			"x": "[7]", "xx": "[]", "nulbyte": "[8]", "bruecke": "[]",
		} {
			if got := fmt.Sprint(find(t, s, query, "", 0, 10)); got != want {
				t.Errorf("%s: %q finds %s, want %s", how, query, got, want)
			}
		}
		indexAll(t, s)
	}
}

// An index that does not read, because the disk or somebody has changed it, hides no message.
func TestADamagedIndexHidesNothing(t *testing.T) {
	s := newStore(t)
	in(t, s, func(tx *store.Tx) error {
		for i := range store.SegmentSize + 10 {
			m := &history.Message{Conversation: "+1", Kind: history.Text, Author: "+1", Timestamp: uint64(i + 1), Body: "straw"}
			if i == 77 {
				m.Body = "the needle"
			}
			if _, err := history.Add(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if n := indexAll(t, s); n != 1 {
		t.Fatal(n, "segments")
	}
	for _, damage := range []string{"\xff", "nee", "nee\x05\x01"} {
		in(t, s, func(tx *store.Tx) error {
			var parts [store.SegmentParts][]byte
			for i := range parts {
				parts[i] = []byte(damage)
			}
			return tx.IndexSegment(0, history.IndexForm, &parts)
		})
		if got := find(t, s, "needle", "", 0, 10); fmt.Sprint(got) != "[78]" {
			t.Errorf("with %q for an index: %v, want [78]", damage, got)
		}
	}
}
