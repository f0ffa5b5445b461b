package federation

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// ErrPin says that somebody else than the peer answered, or that the peer has changed its key.
var ErrPin = errors.New("the key is not the pinned one")

// acceptTLS is the listening side. Who shows no key that is pinned does not get through the handshake. Sessions are not resumed, so each
// connection proves the key anew.
func acceptTLS(k *Key, known func(Pin) bool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{k.pair}, NextProtos: []string{"http/1.1"},
		ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error { return checkPin(s, known) },
	}
}

// dialTLS is the asking side. Names and dates of certificates mean nothing here: only the pin does, which VerifyConnection checks.
func dialTLS(k *Key, pins []Pin) *tls.Config {
	known := func(p Pin) bool {
		for _, pin := range pins {
			if p == pin {
				return true
			}
		}
		return false
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{k.pair}, NextProtos: []string{"http/1.1"},
		InsecureSkipVerify: true, // of names and dates
		VerifyConnection:   func(s tls.ConnectionState) error { return checkPin(s, known) },
	}
}

// checkPin looks at the key of the other side, of which TLS 1.3 has proof by now.
func checkPin(s tls.ConnectionState, known func(Pin) bool) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("%w: no certificate", ErrPin)
	}
	if pin := PinOf(s.PeerCertificates[0]); !known(pin) {
		return fmt.Errorf("%w: got %s", ErrPin, pin)
	}
	return nil
}
