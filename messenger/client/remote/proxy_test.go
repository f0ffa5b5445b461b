package remote

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/client/remote/sockstest"
)

// hidden is a name that nobody can resolve (RFC 6761, 6.4): whatever reaches it went through the proxy as a name.
const hidden = "chat.invalid"

// authority makes a certificate authority, in PEM form, and a certificate of it for a name.
func authority(t *testing.T, name string) ([]byte, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "our own"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotAfter: root.NotAfter}
	top, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: top}), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// hiddenServer answers requests, takes and gives attachments, and has a websocket that ends at once. Its attachments are at another port. It
// counts connections.
func hiddenServer(t *testing.T, cert tls.Certificate) (*httptest.Server, *atomic.Int32) {
	visits := new(atomic.Int32)
	blobs := fmt.Sprintf(`{"id":1,"idString":"1","location":"https://%s:444/blob"}`, hidden)
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/websocket"):
			if ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
				_ = ws.Close()
			}
		case strings.HasPrefix(r.URL.Path, "/v1/attachments"):
			_, _ = io.WriteString(w, blobs)
		case r.URL.Path == "/blob" && r.Method == http.MethodGet:
			_, _ = io.WriteString(w, "blob!")
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "{}")
		}
	}))
	web.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are refused on purpose
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			visits.Add(1)
		}
	}
	web.StartTLS()
	t.Cleanup(web.Close)
	return web, visits
}

// deaf is a listener that only wants to be let in.
type deaf struct{ connected bool }

func (d *deaf) Connected()                { d.connected = true }
func (*deaf) Envelopes(b [][]byte) []bool { return make([]bool, len(b)) }
func (*deaf) Empty()                      {}

// Requests, attachments and the websocket all go through the proxy, which is told names and no addresses.
func TestEverythingGoesThroughTheProxy(t *testing.T) {
	ca, cert := authority(t, hidden)
	web, visits := hiddenServer(t, cert)
	p := sockstest.New(t, web.Listener.Addr().String())
	o := Options{URL: "https://" + hidden, CA: ca, Proxy: p.URL()}
	fresh := func() *Server {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	who := Login{"+1", "p"}
	here, blob := hidden+":443", hidden+":444"
	for _, c := range []struct {
		what string
		do   func(*Server) error
		want []string
	}{
		{"request", func(s *Server) error { _, err := s.CountKeys(t.Context(), who); return err }, []string{here}},
		{"upload", func(s *Server) error {
			place, err := s.Place(t.Context(), who)
			if err != nil {
				return err
			}
			return s.Upload(t.Context(), place, strings.NewReader("blob!"), 0, 5)
		}, []string{here, blob}},
		{"download", func(s *Server) error {
			var got kept
			err := s.Download(t.Context(), who, Blob{ID: 1, Size: 5}, 0, &got)
			if err == nil && got.String() != "blob!" {
				err = fmt.Errorf("got %q", got.String())
			}
			return err
		}, []string{here, blob}},
		{"websocket", func(s *Server) error {
			d := new(deaf)
			if err := s.Listen(t.Context(), who, d); !d.connected {
				return err
			}
			return nil
		}, []string{here}},
		{"provisioning websocket", func(s *Server) error {
			_, err := s.Newcomer(t.Context(), false, func(string) error { return nil })
			if err != nil && strings.HasPrefix(err.Error(), "the connection ended: ") {
				return nil
			}
			return fmt.Errorf("want the connection to have ended, got %v", err)
		}, []string{here}},
	} {
		err := c.do(fresh())
		if got := p.Take(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: the proxy was asked for %q, want %q, error %v", c.what, got, c.want, err)
		}
	}
	// Where the proxy does not work nothing goes around it, though the server is on this machine.
	p.Shut()
	before := visits.Load()
	o.URL = "https://" + web.Listener.Addr().String()
	for what, do := range map[string]func(*Server) error{
		"request":   func(s *Server) error { _, err := s.CountKeys(t.Context(), who); return err },
		"websocket": func(s *Server) error { return s.Listen(t.Context(), who, new(deaf)) },
	} {
		if err := do(fresh()); err == nil || !strings.HasPrefix(err.Error(), "no answer from the server: ") {
			t.Errorf("%s without the proxy: %v", what, err)
		}
	}
	if n := visits.Load() - before; n != 0 || before == 0 {
		t.Errorf("%d connections went around the proxy, %d through it", n, before)
	}
}

// Trust in an authority of one's own is in that one alone, for requests and the websocket.
func TestAuthorityOfOnesOwn(t *testing.T) {
	ca, cert := authority(t, "localhost")
	another, _ := authority(t, "localhost")
	web, _ := hiddenServer(t, cert)
	_, port, err := net.SplitHostPort(web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const want = "no answer from the server: the server's certificate is not signed by an authority that is trusted here"
	for what, c := range map[string]struct {
		ca   []byte
		want string
	}{"ours": {ca, ""}, "another": {another, want}, "the system's": {nil, want}} {
		s, err := New(Options{URL: "https://localhost:" + port, CA: c.ca})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.CountKeys(context.Background(), Login{"+1", "p"})
		if text(err) != c.want || (c.want != "") != errors.Is(err, ErrAuthority) {
			t.Errorf("%s, request: %v", what, err)
		}
		d := new(deaf)
		err = s.Listen(context.Background(), Login{"+1", "p"}, d)
		if d.connected != (c.want == "") || c.want != "" && text(err) != c.want {
			t.Errorf("%s, websocket: connected %v, %v", what, d.connected, err)
		}
		s.Close()
	}
}

// kept is a download in memory.
type kept struct{ bytes.Buffer }

func (k *kept) Reset() error {
	k.Buffer.Reset()
	return nil
}
