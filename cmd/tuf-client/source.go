package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/countersign-project/countersign/tuf/fetch"
)

// source is one directory of a web server whose file names arrive as they
// stand in the URL: package client escapes odd role names once, and a second
// time would ask for another file.
type source struct {
	base   string
	prefix string // of the paths it is asked for, not part of the URL
	client *http.Client
}

// courier brings files below base with the caps and deadlines of tuf/fetch.
func courier(base, prefix string) *fetch.Courier {
	s := source{strings.TrimSuffix(base, "/") + "/", prefix, &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	return &fetch.Courier{Sources: []fetch.Source{s}}
}

func (s source) String() string { return s.base }

func (s source) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+strings.TrimPrefix(path, s.prefix), nil)
	if err != nil {
		return nil, 0, 0, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, 0, 0, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, resp.ContentLength, 0, nil
	case http.StatusNotFound:
		err = fs.ErrNotExist
	default:
		err = fmt.Errorf("answers %s", resp.Status)
	}
	resp.Body.Close()
	return nil, 0, 0, err
}
