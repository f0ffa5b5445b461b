package history

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/countersign-project/countersign/messenger/store"
)

// Search returns the newest messages whose text, captions or file names hold all words of a query, whatever the case, in one conversation or (empty)
// in all, below number before (0: from the newest). There is no index on disk: one over words would tell a thief how often each word
// was used. So every message is opened in turn, newest first, until limit were found.
func Search(tx *store.Tx, query, conversation string, before int64, limit int) ([]*Message, error) {
	words := strings.Fields(fold(query))
	if len(words) == 0 || limit <= 0 {
		return nil, nil
	}
	probe := plainProbe(words)
	var out []*Message
	look := func(row store.Row) (bool, error) {
		if probe != nil && !containsFold(row.Body, probe) {
			return true, nil
		}
		var m Message
		if err := json.Unmarshal(row.Body, &m); err != nil {
			return false, err
		}
		m.Seq = row.Seq
		if m.Kind == Text && m.matches(words) {
			out = append(out, &m)
		}
		return len(out) < limit, nil
	}
	if conversation != "" {
		return out, tx.Messages(conversation, before, look)
	}
	err := tx.Scan(before, look)
	return out, err
}

// plainProbe is a word that reads in JSON as it is written, with which most messages are passed over without being parsed; nil if there is none.
func plainProbe(words []string) []byte {
	var best string
	for _, w := range words {
		plain := strings.IndexFunc(w, func(r rune) bool { return r >= 0x80 || !unicode.IsLetter(r) && !unicode.IsDigit(r) }) < 0
		// K and S have further forms in Unicode (Kelvin, long s), which fold to them.
		if plain && len(w) > len(best) && !strings.ContainsAny(w, "ks") {
			best = w
		}
	}
	if best == "" {
		return nil
	}
	return []byte(best)
}

// containsFold tells whether ASCII text is in b, whatever its case. The probe is in lower case.
func containsFold(b, probe []byte) bool {
	first, upper := probe[0], probe[0]
	if first >= 'a' && first <= 'z' {
		upper = first - 'a' + 'A'
	}
	for len(b) >= len(probe) {
		i := bytes.IndexByte(b, first)
		if j := bytes.IndexByte(b, upper); j >= 0 && (i < 0 || j < i) {
			i = j
		}
		if i < 0 || len(b)-i < len(probe) {
			return false
		}
		if bytes.EqualFold(b[i:i+len(probe)], probe) {
			return true
		}
		b = b[i+1:]
	}
	return false
}

func (m *Message) matches(words []string) bool {
	var b strings.Builder
	b.WriteString(m.Body)
	for _, a := range m.Attachments {
		b.WriteString("\n" + a.FileName + "\n" + a.Caption)
	}
	text := fold(b.String())
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// fold makes texts that differ in case only the same.
func fold(s string) string {
	return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
}
