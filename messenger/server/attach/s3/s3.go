// Package s3 keeps objects in a bucket of an S3-compatible store: put, get from an offset, look, list, delete. It is the part of the S3
// interface that attachments need, over net/http, with signatures of version 4 (sign.go) and path-style addresses, which every such store
// knows: AWS, MinIO, Garage, Ceph, Cloudflare R2.
//
// Who has the credentials can read, change and remove what is in the bucket. What this package puts there is ciphertext, under names made
// of its hash; the store can withhold it, and recipients notice when it is changed. It learns when which of them is fetched.
//
// A request that meets a broken connection, or a store that is overloaded or ill (429, 5xx), is made three times. Answers are bounded.
package s3

import (
	"context"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Options say where a bucket is.
type Options struct {
	// URL is https://host[:port]/bucket, with a prefix of the names behind it if there is one: https://s3.example.org/chat/attachments.
	URL    string
	Region string // part of what is signed; empty: us-east-1, which stores without regions take
	Key    string // access key id
	Secret string // secret access key
	Now    func() time.Time
	HTTP   http.RoundTripper // nil: the usual
}

// Bucket is a place for objects. It may be used by many goroutines.
type Bucket struct {
	o      Options
	base   url.URL // scheme and host
	path   string  // "/bucket"
	prefix string  // "" or "prefix/"
	client *http.Client
}

// What callers act on.
var (
	ErrNotFound    = errors.New("no such object")
	ErrUnavailable = errors.New("the store of objects does not answer")
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	objectName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`) // what needs no escape, so that there is one way to sign it
)

// New checks the options. It asks the store nothing: see Check.
func New(o Options) (*Bucket, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q: want https://host/bucket", o.URL)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("%q: who fetches what would cross the network in the clear; want https", o.URL)
	}
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if !bucketName.MatchString(bucket) || prefix != "" && !objectName.MatchString(prefix) {
		return nil, fmt.Errorf("%q: want the name of a bucket behind the host, and behind it at most a prefix of letters, digits, '.', '_' and '-'", o.URL)
	}
	if o.Key == "" || o.Secret == "" {
		return nil, errors.New("the access key or its secret is empty")
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = requestTime
		t.MaxIdleConnsPerHost = 16
		o.HTTP = t
	}
	if prefix != "" {
		prefix += "/"
	}
	return &Bucket{o: o, base: url.URL{Scheme: u.Scheme, Host: u.Host}, path: "/" + bucket, prefix: prefix, client: &http.Client{
		Transport: o.HTTP, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a signature is for one host
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Object is what is known of an object.
type Object struct {
	Name     string
	Size     int64
	Modified time.Time // by the store's clock
}

// Put writes an object whole: after it returned it is there for all. sum is SHA-256 of body, which the store checks.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(size/slowest)*time.Second)
	defer cancel()
	resp, err := b.do(ctx, request{method: http.MethodPut, name: name, body: body, size: size, sum: hex.EncodeToString(sum[:])})
	if err != nil {
		return err
	}
	return done(resp)
}

// Head returns what is known of an object. ErrNotFound.
func (b *Bucket) Head(ctx context.Context, name string) (Object, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	resp, err := b.do(ctx, request{method: http.MethodHead, name: name})
	if err != nil {
		return Object{}, err
	}
	modified, err := http.ParseTime(resp.Header.Get("Last-Modified"))
	if err != nil || resp.ContentLength < 0 {
		_ = done(resp)
		return Object{}, fmt.Errorf("object %s: the store says neither size nor time: %d, %q", name, resp.ContentLength, resp.Header.Get("Last-Modified"))
	}
	return Object{name, resp.ContentLength, modified}, done(resp)
}

// Get returns an object's bytes from an offset on, which must lie before its end. ErrNotFound. The caller closes it; ctx bounds the reading.
func (b *Bucket) Get(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	resp, err := b.do(ctx, request{method: http.MethodGet, name: name, offset: offset})
	if err != nil {
		return nil, err
	}
	if offset > 0 && resp.StatusCode != http.StatusPartialContent {
		resp.Body.Close()
		return nil, fmt.Errorf("object %s: the store answers %d to a range, want 206", name, resp.StatusCode)
	}
	return resp.Body, nil
}

// Delete removes an object. One that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	resp, err := b.do(ctx, request{method: http.MethodDelete, name: name})
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	}
	return done(resp)
}

// page is what we read of ListBucketResult.
type page struct {
	Contents []struct {
		Key          string
		Size         int64
		LastModified time.Time
	}
	IsTruncated           bool
	NextContinuationToken string
}

// List visits the objects whose names begin with prefix, in pages of a thousand.
func (b *Bucket) List(ctx context.Context, prefix string, visit func(Object) error) error {
	for token := ""; ; {
		p, err := b.page(ctx, prefix, token)
		if err != nil {
			return err
		}
		for _, c := range p.Contents {
			name, ok := strings.CutPrefix(c.Key, b.prefix)
			if !ok || !strings.HasPrefix(name, prefix) || !objectName.MatchString(name) || c.Size < 0 {
				continue // not what we asked for, or not ours, or no object
			}
			if err := visit(Object{name, c.Size, c.LastModified}); err != nil {
				return err
			}
		}
		if !p.IsTruncated {
			return nil
		}
		if p.NextContinuationToken == "" || p.NextContinuationToken == token {
			return errors.New("the store's list does not go on")
		}
		token = p.NextContinuationToken
	}
}

// maxPage bounds a page of a list: a thousand names of 1 KiB, escaped.
const maxPage = 8 << 20

func (b *Bucket) page(ctx context.Context, prefix, token string) (p page, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	query := url.Values{"list-type": {"2"}, "prefix": {b.prefix + prefix}}
	if token != "" {
		query.Set("continuation-token", token)
	}
	resp, err := b.do(ctx, request{method: http.MethodGet, query: query})
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if err := xml.NewDecoder(io.LimitReader(resp.Body, maxPage)).Decode(&p); err != nil {
		return p, fmt.Errorf("the store's list: %q", err.Error()) // quoted: it repeats what the store wrote
	}
	return p, nil
}

// Check asks for a list of nothing: whether the bucket is there and the credentials are good for it.
func (b *Bucket) Check(ctx context.Context) error {
	_, err := b.page(ctx, "none/", "")
	return err
}

const (
	requestTime = 30 * time.Second
	slowest     = 32 << 10 // bytes a second
	tries       = 3
	pause       = 200 * time.Millisecond // before the second try; twice that before the third
)

// request is one call.
type request struct {
	method, name string
	query        url.Values
	offset       int64
	body         io.ReadSeeker // nil: none
	size         int64
	sum          string // hexadecimal SHA-256 of the body
}

// do makes a request until it is answered, and turns answers that are no success into errors.
func (b *Bucket) do(ctx context.Context, r request) (*http.Response, error) {
	var last error
	for n := range tries {
		if n > 0 {
			select {
			case <-ctx.Done():
				return nil, last
			case <-time.After(pause << (n - 1)):
			}
		}
		req, err := b.build(ctx, r)
		if err != nil {
			return nil, err
		}
		resp, err := b.client.Do(req)
		switch {
		case err != nil:
			last = fmt.Errorf("%w: %s", ErrUnavailable, withoutURL(err))
			continue
		case resp.StatusCode/100 == 2:
			return resp, nil
		case resp.StatusCode == http.StatusNotFound && r.name != "":
			_ = done(resp)
			return nil, ErrNotFound
		}
		last = refusal(resp)
		if resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusConflict {
			return nil, last // a conflict is another server that writes or removes the same object at this moment
		}
		last = fmt.Errorf("%w: %v", ErrUnavailable, last)
	}
	return nil, last
}

// withoutURL leaves the name of the object out, which goes into logs.
func withoutURL(err error) error {
	if u := new(url.Error); errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (b *Bucket) build(ctx context.Context, r request) (*http.Request, error) {
	u := b.base
	u.Path = b.path
	if r.name != "" {
		if !objectName.MatchString(r.name) {
			return nil, fmt.Errorf("internal error: %q as the name of an object", r.name)
		}
		u.Path += "/" + b.prefix + r.name
	}
	u.RawQuery = canonicalQuery(r.query)
	var body io.Reader
	if r.body != nil && r.size > 0 {
		if _, err := r.body.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		body = io.NopCloser(r.body) // the transport would close it, and it may be needed again
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.ContentLength = r.size
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if r.offset > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(r.offset, 10)+"-")
	}
	sum := r.sum
	if sum == "" {
		sum = emptySum
	}
	sign(req, b.o.Key, b.o.Secret, b.o.Region, sum, b.o.Now())
	return req, nil
}

// maxSaid bounds what we read of an answer that does not matter.
const maxSaid = 4 << 10

// done reads the rest of an answer, so that the connection can be used again.
func done(resp *http.Response) error {
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxSaid))
	return nil
}

// refusal says what the store said: status and S3's code, not the message, which may quote what was asked.
func refusal(resp *http.Response) error {
	defer resp.Body.Close()
	var e struct{ Code string }
	_ = xml.NewDecoder(io.LimitReader(resp.Body, maxSaid)).Decode(&e) // HEAD has none
	if !regexp.MustCompile(`^[A-Za-z]{1,64}$`).MatchString(e.Code) {
		return fmt.Errorf("the store of objects says %d", resp.StatusCode)
	}
	return fmt.Errorf("the store of objects says %d %s", resp.StatusCode, e.Code)
}
