package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// step is one checked step of the story.
type step struct {
	Number  int               `json:"number"`
	Name    string            `json:"name"`
	Held    bool              `json:"held"`
	Seconds float64           `json:"seconds"`
	Reasons []string          `json:"reasons,omitempty"` // what the programs said
	SHA256  map[string]string `json:"sha256,omitempty"`  // of what runs after this step
	Sizes   map[string]int64  `json:"sizes,omitempty"`   // bytes
	Error   string            `json:"error,omitempty"`

	mu sync.Mutex // guards Reasons: several people speak at the same time
}

// report is the whole story, as report.json.
type report struct {
	Format  string  `json:"format"` // "countersign-demo-2"
	Commit  string  `json:"commit"` // of the repository that was released
	Held    bool    `json:"held"`   // every step held
	Seconds float64 `json:"seconds"`
	Steps   []*step `json:"steps"`

	Measured []figure `json:"measured"`
}

// figure is something measured on the way.
type figure struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"` // "s" or "bytes"
}

func (r *report) measure(what string, value float64, unit string) {
	r.Measured = append(r.Measured, figure{what, value, unit})
}

// say adds something a program said.
func (s *step) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Reasons = append(s.Reasons, text)
	fmt.Printf("    %s\n", text)
}

func (s *step) runs(program, sum string) {
	if s.SHA256 == nil {
		s.SHA256 = map[string]string{}
	}
	s.SHA256[program] = sum
}

func (s *step) size(what string, n int64) {
	if s.Sizes == nil {
		s.Sizes = map[string]int64{}
	}
	s.Sizes[what] = n
}

// do runs one step and reports it. After a step that did not hold the story cannot go on.
func (r *report) do(name string, f func(*step) error) error {
	s := &step{Number: len(r.Steps) + 1, Name: name}
	r.Steps = append(r.Steps, s)
	fmt.Printf("\n%2d  %s\n", s.Number, name)
	began := time.Now()
	err := f(s)
	s.Seconds = float64(time.Since(began).Milliseconds()) / 1000
	s.Held = err == nil
	if err != nil {
		s.Error = err.Error()
		fmt.Printf("    did not hold: %v\n", err)
		return errors.New(name)
	}
	fmt.Printf("    held, %.1f s\n", s.Seconds)
	return nil
}

func (f figure) text() string {
	if f.Unit == "s" {
		return fmt.Sprintf("%.1f s", f.Value)
	}
	return fmt.Sprintf("%.0f %s", f.Value, f.Unit)
}

// finish writes report.json and prints the table.
func (r *report) finish(path string) error {
	r.Held = true
	for _, s := range r.Steps {
		r.Seconds += s.Seconds
		r.Held = r.Held && s.Held
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "step\theld\tseconds\twhat")
	for _, s := range r.Steps {
		held := "yes"
		if !s.Held {
			held = "NO"
		}
		fmt.Fprintf(w, "%d\t%s\t%.1f\t%s\n", s.Number, held, s.Seconds, s.Name)
	}
	for _, f := range r.Measured {
		fmt.Fprintf(w, "\t\t%s\t%s\n", f.text(), f.What)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("%s\n%.0f s in all; report: %s\n", strings.Repeat("-", 60), r.Seconds, path)
	return nil
}
