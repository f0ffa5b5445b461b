package tui

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// transfer is a file on its way.
type transfer struct {
	name string // of the file, as it is shown
	now  client.Progress
	last time.Time // that something was heard of it
}

// A transfer is shown from so many bytes on, and until nothing was heard of it for so long: the message says what has become of it.
const (
	worthShowing = 1 << 20
	silentFor    = 30 * time.Second
)

// transfer begins to listen for how far a file is, and returns under which name to ask for that.
func (m *Model) transfer(path string) (id string) {
	m.begun++
	id = fmt.Sprint(m.begun)
	m.transfers[id] = &transfer{name: name(filepath.Base(path), 40), last: m.o.Now()}
	return id
}

// moved takes in how far a file is.
func (m *Model) moved(params json.RawMessage) {
	var p rpc.Progress
	if json.Unmarshal(params, &p) != nil || m.transfers[p.ID] == nil {
		return
	}
	t := m.transfers[p.ID]
	t.now, t.last = p.Progress, m.o.Now()
	if p.Done >= p.Total && p.What != client.Encrypting {
		delete(m.transfers, p.ID)
	}
}

// transferLines says how far files are.
func (m *Model) transferLines() (out []string) {
	for _, t := range m.transfers {
		word := map[client.Step]string{client.Encrypting: "encrypting", client.Uploading: "sending", client.Downloading: "fetching"}[t.now.What]
		if t.now.Total >= worthShowing && word != "" {
			out = append(out, fmt.Sprintf("%s %s: %d %% of %s", word, t.name, 100*min(t.now.Done, t.now.Total)/t.now.Total, size(t.now.Total)))
		}
	}
	slices.Sort(out)
	return out[:min(len(out), 3)]
}
