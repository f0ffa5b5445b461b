// Package server answers requests of messenger clients. In its present extent that is one question: is
// this server alive?
//
// Its world: anybody who can reach the listening address. Nothing here holds a secret, and all anybody
// learns is which version runs.
package server

import (
	"encoding/json"
	"net/http"
)

// Health is the answer to GET /health.
type Health struct {
	Status  string `json:"status"` // "ok"
	Version string `json:"version"`
}

// Handler serves the API of a server of that version.
func Handler(version string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(Health{"ok", version}) // an asker who left needs no answer
	})
	return mux
}
