package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
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
}

// report is the whole story, as report.json.
type report struct {
	Format  string  `json:"format"` // "countersign-demo-1"
	Commit  string  `json:"commit"` // of the repository that was released
	Held    bool    `json:"held"`   // every step held
	Seconds float64 `json:"seconds"`
	Steps   []*step `json:"steps"`
}

// say adds something a program said.
func (s *step) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
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
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("%s\n%.0f s in all; report: %s\n", strings.Repeat("-", 60), r.Seconds, path)
	return nil
}
