package remote

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// What is under way when the way is changed ends with it: a download in its middle, a connection that only listens, and a request that nobody answers. Else
// who now goes through a proxy would be seen beside it for as long as they take.
func TestAnotherWayEndsWhatIsUnderWay(t *testing.T) {
	begun, end := make(chan string, 3), make(chan struct{})
	var where string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/websocket"):
			ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer ws.Close()
			begun <- "websocket"
			<-end
		case strings.HasPrefix(r.URL.Path, "/v1/attachments"):
			_, _ = io.WriteString(w, `{"location":"`+where+`/blob"}`)
		case r.URL.Path == "/blob":
			_, _ = io.WriteString(w, "a part")
			_ = http.NewResponseController(w).Flush()
			begun <- "download"
			<-end
		default:
			begun <- "request"
			<-end
		}
	}))
	where = web.URL
	defer web.Close()
	defer close(end)
	s, err := New(Options{URL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	who := Login{"+1", "p"}
	ended := make(chan error, 3)
	go func() { ended <- s.Listen(t.Context(), who, new(deaf)) }()
	go func() { ended <- s.Download(t.Context(), who, Blob{ID: 1, Size: 100}, 0, new(kept)) }()
	go func() { _, err := s.CountKeys(t.Context(), who); ended <- err }()
	for range 3 {
		<-begun
	}
	if err := s.Move(Options{URL: web.URL, Proxy: "127.0.0.1:9050"}); err == nil {
		t.Error("a proxy that is none was taken")
	}
	if len(ended) > 0 {
		t.Errorf("a way that was not taken has ended something: %v", <-ended)
	}
	if err := s.Move(Options{URL: web.URL + "/there"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-ended; !errors.Is(err, ErrMoved) && (err == nil || !strings.HasPrefix(err.Error(), "the attachment broke off after ")) {
			t.Errorf("something has ended otherwise: %v", err)
		}
	}
	if got := s.URL(); got != web.URL+"/there" {
		t.Errorf("the server is at %s now", got)
	}
}

// A server that speaks HTTP/2, too, has a websocket after a request as before it.
func TestTheWebsocketIsNoHTTP2(t *testing.T) {
	ca, cert := authority(t, "localhost")
	web, _ := hiddenServer(t, cert)
	web.Close()
	two := httptest.NewUnstartedServer(web.Config.Handler)
	two.EnableHTTP2 = true
	two.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	two.StartTLS()
	defer two.Close()
	_, port, _ := net.SplitHostPort(two.Listener.Addr().String())
	s, err := New(Options{URL: "https://localhost:" + port, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		if _, err := s.CountKeys(t.Context(), Login{"+1", "p"}); err != nil {
			t.Error(err)
		}
		d := new(deaf)
		if err := s.Listen(t.Context(), Login{"+1", "p"}, d); !d.connected {
			t.Error(err)
		}
	}
}
