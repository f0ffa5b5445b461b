package tui

import tea "charm.land/bubbletea/v2"

// Tick is what comes every few seconds.
func Tick() tea.Msg { return tick{} }
