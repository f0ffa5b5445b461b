package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// MaxRedirects is how many redirects of one request are followed. Object stores need one, sometimes two.
const MaxRedirects = 3

// maxHeader caps the header of an answer, in bytes.
const maxHeader = 64 << 10

// HTTP is a source over a web server. base is an http or https URL without query; c may be nil: Client(nil). Answers are
// read as they are: no compression, ranges where the server knows them, at most MaxRedirects redirects
// within the same scheme.
func HTTP(base string, c *http.Client) Source {
	u, err := url.Parse(base)
	if err == nil {
		err = checkBase(u)
	}
	if err != nil {
		return brokenSource{base, err}
	}
	if c == nil {
		c = Client(nil)
	}
	own := *c // the caller's client keeps its redirect rule and its cookies
	own.CheckRedirect, own.Jar = checkRedirect, nil
	return &httpSource{u, &own}
}

// ParseURL turns an entry of a mirror list into a source: http, https, or file for a directory.
func ParseURL(raw string, c *http.Client) (Source, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	if err := checkBase(u); err != nil {
		return nil, fmt.Errorf("repository %q: %v", u.Redacted(), err)
	}
	if u.Scheme != "file" {
		return HTTP(raw, c), nil
	}
	dir := u.Path
	if runtime.GOOS == "windows" {
		dir = strings.TrimPrefix(dir, "/") // file:///C:/mirror
	}
	return Dir(os.DirFS(filepath.FromSlash(dir)), raw), nil
}

func checkBase(u *url.URL) error {
	switch {
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has a query or a fragment, want a plain directory")
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return nil
	case u.Scheme == "file" && u.Path != "" && (u.Host == "" || u.Host == "localhost"):
		return nil
	}
	return errors.New("want an http, https or file URL")
}

// Client fetches through a proxy, http, https or socks5, which also resolves names, and never beside it; without one, nil, as the environment says
// (HTTPS_PROXY). No cookies, no compression, small headers.
func Client(proxy *url.URL) *http.Client {
	through := http.ProxyFromEnvironment
	if proxy != nil {
		through = http.ProxyURL(proxy)
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:                  through,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		TLSHandshakeTimeout:    DefaultWindow,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    2,
	}}
}

// checkRedirect allows what a mirror behind a CDN needs and nothing a hostile one could use: a change of
// scheme would give up TLS, or reach for local files.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > MaxRedirects {
		return fmt.Errorf("more than %d redirects", MaxRedirects)
	}
	if from := via[0].URL.Scheme; next.URL.Scheme != from {
		return fmt.Errorf("redirect from %s to %s", from, next.URL.Scheme)
	}
	return nil
}

type httpSource struct {
	base   *url.URL
	client *http.Client
}

func (h *httpSource) String() string { return strings.TrimSuffix(h.base.Redacted(), "/") }

// locate returns the URL of path. Each segment is escaped by itself, so that no target name becomes a
// query or another directory.
func (h *httpSource) locate(path string) string {
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	u := *h.base
	u.Path = strings.TrimSuffix(h.base.Path, "/") + "/" + path
	u.RawPath = strings.TrimSuffix(h.base.EscapedPath(), "/") + "/" + strings.Join(segments, "/")
	return u.String()
}

func (h *httpSource) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.locate(path), nil)
	if err != nil {
		return nil, 0, 0, err
	}
	// Said out loud, net/http neither asks for compression nor undoes it: the cap counts what we keep.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "countersign") // the same from everybody: nobody can be singled out by it
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the source and the path are named by the courier
		}
		return nil, 0, 0, err
	}
	size, start, err := answer(resp, path, offset)
	if err != nil {
		resp.Body.Close()
		return nil, 0, 0, err
	}
	return resp.Body, size, start, nil
}

// answer reads an answer's status and header: the size of the whole file and where the body starts.
func answer(resp *http.Response, path string, offset int64) (size, start int64, err error) {
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return 0, 0, fmt.Errorf("compressed (%q) though not asked to", enc)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.ContentLength, 0, nil
	case http.StatusPartialContent:
		start, size, err := contentRange(resp.Header.Get("Content-Range"))
		if err != nil {
			return 0, 0, err
		}
		if start != offset || offset == 0 {
			return 0, 0, fmt.Errorf("range starts at %d, want %d", start, offset)
		}
		return size, start, nil
	case http.StatusNotFound, http.StatusGone:
		return 0, 0, absentError{"HTTP " + resp.Status}
	case http.StatusForbidden:
		if rootPath.MatchString(path) {
			return 0, 0, absentError{"HTTP " + resp.Status}
		}
	}
	return 0, 0, fmt.Errorf("HTTP %s", resp.Status)
}

// contentRange reads "bytes 100-199/1000" or "bytes 100-199/*" (RFC 9110 14.4); size is -1 for the star.
func contentRange(h string) (start, size int64, err error) {
	bad := func() (int64, int64, error) { return 0, 0, fmt.Errorf("Content-Range %q", h) }
	spec, ok := strings.CutPrefix(h, "bytes ")
	if !ok {
		return bad()
	}
	span, total, ok := strings.Cut(spec, "/")
	if !ok {
		return bad()
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return bad()
	}
	start, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	size = -1
	var err3 error
	if total != "*" {
		size, err3 = strconv.ParseInt(total, 10, 64)
	}
	if err1 != nil || err2 != nil || err3 != nil || start < 0 || end < start || size >= 0 && end >= size {
		return bad()
	}
	return start, size, nil
}

// brokenSource is a source whose URL can not be used; it says so whenever it is asked.
type brokenSource struct {
	name string
	err  error
}

func (b brokenSource) String() string { return b.name }
func (b brokenSource) Open(context.Context, string, int64) (io.ReadCloser, int64, int64, error) {
	return nil, 0, 0, b.err
}
