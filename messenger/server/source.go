package server

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/countersign-project/countersign/messenger/server/endpoint"
)

// source names where a request comes from, for limits only: an IPv4 address, or the /64 of an IPv6 one, which is what one customer has.
func (s *Server) source(r *http.Request) string {
	addr := s.remote(r)
	if addr.Is6() {
		p, _ := addr.Prefix(64)
		return p.String()
	}
	return addr.String()
}

// remote believes X-Forwarded-For only from the proxies we were told of, and of it only what they have added: from the right, up to the
// first address that is not one of them.
func (s *Server) remote(r *http.Request) netip.Addr {
	if t := endpoint.TunnelOf(r); t != nil {
		addr, _ := netip.ParseAddr(t.Remote)
		return addr
	}
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	addr := at.Addr().Unmap()
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0 && s.isProxy(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(list[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr
}

func (s *Server) isProxy(addr netip.Addr) bool {
	for _, p := range s.Proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// secure tells whether the client's request was encrypted.
func (s *Server) secure(r *http.Request) bool {
	if t := endpoint.TunnelOf(r); t != nil {
		return t.Secure
	}
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && s.isProxy(at.Addr().Unmap()) {
		if proto := r.Header.Get("X-Forwarded-Proto"); proto != "" {
			return proto == "https"
		}
	}
	return r.TLS != nil
}

// base is how the client reaches us.
func (s *Server) base(r *http.Request) string {
	switch {
	case s.URL != "":
		return s.URL
	case s.secure(r):
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
