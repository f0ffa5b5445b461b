package tui

import (
	"context"
	"errors"
	"time"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// Model is all there is on the screen.
type Model struct {
	o   Options
	ctx context.Context

	conn   Conn // nil while there is none
	came   Conn // that was made here, to be closed
	people people
	asking bool // for people
	stale  bool // people changed while they were asked for

	talks  map[string]*talk
	drafts drafts
	at     string // the open conversation; empty: none yet
	unsent []*outgoing
	// leaving: the program ends when nothing is unsent any more.
	leaving   bool
	transfers map[string]*transfer // by the name under which they are told of
	begun     int                  // transfers

	input    textarea.Model
	question *question
	panel    *panel
	pane     pane

	width, height int
	dark, focused bool
	theme         theme
	says          told   // the line at the bottom
	offline       string // why there is no connection to the server
	typed         time.Time
}

// told is what the bottom line says until the next key.
type told struct {
	text string
	bad  bool
}

// then is a message that carries what to do: the end of everything that runs beside Update.
type then func() tea.Cmd

// tick is when things that depend on the time are looked at.
type tick struct{}

const tickEvery = 5 * time.Second

// New is a model that has asked nothing yet. A program runs it; so can a test, which gives it messages and runs its commands.
func New(ctx context.Context, o Options) *Model {
	m := &Model{o: o, ctx: ctx, conn: o.Conn, at: "", talks: map[string]*talk{}, drafts: drafts{texts: map[string]string{}}, transfers: map[string]*transfer{}, width: 80, height: 24, dark: true, focused: true, input: textarea.New()}
	m.input.Prompt, m.input.ShowLineNumbers, m.input.Placeholder = "> ", false, "write here; /help"
	m.input.CharLimit, m.input.MaxWidth, m.input.MaxHeight, m.input.MaxContentHeight = maxTyped, 0, maxInput, 5000
	m.input.DynamicHeight, m.input.MinHeight = true, 1
	m.input.KeyMap.InsertNewline = key.NewBinding(key.WithKeys("alt+enter", "shift+enter", "ctrl+j"))
	// The library's own clipboard runs programs; a terminal pastes by itself.
	for _, b := range []*key.Binding{&m.input.KeyMap.Paste, &m.input.KeyMap.CopySelection, &m.input.KeyMap.SelectAll} {
		b.SetEnabled(false)
	}
	m.input.SetVirtualCursor(false)
	m.input.Focus()
	m.look()
	return m
}

const (
	// maxTyped bounds what is typed in one message, in characters: a request to the account is bounded, too.
	maxTyped = 60_000
	// maxInput is how many lines the field grows to.
	maxInput = 8
)

// look is how things look on this ground.
func (m *Model) look() {
	m.theme = newTheme(m.dark)
	s := textarea.DefaultStyles(m.dark)
	s.Focused.CursorLine, s.Focused.Prompt, s.Focused.Placeholder = s.Focused.Text, m.theme.bold, m.theme.dim
	s.Cursor.Color, s.Cursor.Blink = nil, false
	m.input.SetStyles(s)
	m.redraw()
}

// redraw forgets what was drawn.
func (m *Model) redraw() {
	for _, t := range m.talks {
		clear(t.drawn)
	}
}

// Init asks for what there is to show.
func (m *Model) Init() tea.Cmd {
	first := m.refresh()
	if m.o.With != "" {
		first = tea.Batch(first, m.open(m.o.With))
	} else {
		m.pane.focused = true
	}
	return tea.Batch(first, m.listen(), m.ticking(), tea.RequestBackgroundColor)
}

func (m *Model) ticking() tea.Cmd {
	return tea.Tick(tickEvery, func(time.Time) tea.Msg { return tick{} })
}

// Update takes one message in.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	return m, tea.Batch(cmd, m.settle())
}

func (m *Model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case then:
		return msg()
	case tick:
		m.passed()
		return tea.Batch(m.ticking(), m.keepDraft(nil))
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.redraw()
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
		m.look()
	case tea.FocusMsg:
		m.focused = true
	case tea.BlurMsg:
		m.focused = false
	case tea.MouseWheelMsg:
		switch msg.Button {
		case tea.MouseWheelUp:
			m.scroll(3)
		case tea.MouseWheelDown:
			m.scroll(-3)
		}
	case tea.MouseClickMsg:
		if msg.Button == tea.MouseLeft {
			return m.click(msg.X, msg.Y)
		}
	case tea.PasteMsg:
		switch {
		case m.question != nil:
		case m.pane.focused:
			m.filter(m.pane.filter + name(msg.Content, 100))
		case m.talk() != nil:
			return m.typing(msg)
		}
	case tea.KeyPressMsg:
		m.says = told{}
		return m.key(msg)
	}
	return nil
}

// say shows something at the bottom.
func (m *Model) say(text string) { m.says = told{text, false} }

// fail shows an error there, unless it is that the daemon has gone, which the line says anyway.
func (m *Model) fail(err error) {
	if !errors.Is(err, rpc.ErrEnded) {
		m.says = told{err.Error(), true}
	}
}

// talk is the open conversation; nil if there is none.
func (m *Model) talk() *talk { return m.talks[m.at] }

func (m *Model) close() {
	if m.came != nil {
		_ = m.came.Close()
	}
}
