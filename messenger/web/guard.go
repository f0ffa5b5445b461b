package web

import (
	"net"
	"net/http"
	"slices"
)

// policy is what the page may do: run and load our own files, show pictures it has made itself, and speak to this server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard checks the host and sets what every answer carries.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Embedder-Policy", "require-corp")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=(), usb=(), serial=(), bluetooth=(), payment=()")
		h.Set("Cache-Control", "no-store")
		if !p.isHost(q.Host) {
			http.Error(w, "this page is not for that host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, q)
	})
}

// isHost knows the one name this page was opened under. A page on a unix socket is reached through a forwarded port of a number it cannot know:
// there any port of the loopback names is right, and still no name that an outsider could rebind.
func (p *Page) isHost(host string) bool {
	if p.host != "" {
		return host == p.host
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return slices.Contains([]string{"127.0.0.1", "localhost", "::1", "[::1]"}, name)
}
