package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/review"
	"github.com/countersign-project/countersign/release/review/page"
)

// page serves the review on a loopback address until it is interrupted.
func (v *reviewView) page(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	m := v.r.Proposal.Manifest
	s, token, err := page.New(page.Review{
		Title: m.Channel + " " + m.Version, Base: v.baseText(), Event: v.id.Short(), Notes: visibleLines(m.Notes),
		Changes: v.r.Changes, Journal: v.r.Journal, Reader: v.r.Reader, Now: v.app.Now,
	}, []string{address, "localhost:" + port})
	if err != nil {
		return err
	}
	link := "http://" + address + "/#" + token
	if err := v.app.Print(map[string]string{"url": link}, "open in a browser on this machine (the link works once):\n  "+link); err != nil {
		return err
	}
	v.app.Say("marks are saved as you make them; stop with Ctrl-C")
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 5 * time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("the page stopped: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	v.app.Say("%s", coverText(v.r.Changes.Cover(v.r.Journal.Mark)))
	return nil
}

// visibleLines is review.VisibleText for text of several lines.
func visibleLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, line := range lines {
		lines[i] = review.VisibleText(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}
