package server

import (
	"testing"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// Anybody may ask a server what it is, within reason.
func TestAbout(t *testing.T) {
	newWorld(t, nil).want("", "GET", "/v3/about", nil, 404, `{"error":"this server says nothing of itself"}`)
	w := newWorld(t, func(c *Config) {
		c.About = func() api.About { return api.About{Program: "messengerd", Version: "1.4.0", Outcome: "genuine"} }
	})
	for range 60 {
		w.want("", "GET", "/v3/about", nil, 200, `{"program":"messengerd","version":"1.4.0","os":"","arch":"","sha256":"","channel":"","distribution":"","outcome":"genuine","why":"","checked":0}`)
	}
	w.want("", "GET", "/v3/about", nil, 429, "")
}
