package tui_test

import (
	"encoding/json"
	"fmt"

	tea "charm.land/bubbletea/v2"
)

func paste(text string) tea.Msg { return tea.PasteMsg{Content: text} }

func pad(i int) string { return fmt.Sprintf("%03d", i) }

// numbers are the cursor and the limit of listMessages.
func numbers(params string) (before int64, limit int) {
	var p struct {
		Before int64
		Limit  int
	}
	if err := json.Unmarshal([]byte(params), &p); err != nil {
		panic(err)
	}
	return p.Before, p.Limit
}
