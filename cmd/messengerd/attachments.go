package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/server/attach"
	"github.com/countersign-project/countersign/messenger/server/attach/s3"
)

// attachmentOptions say where the ciphertext of attachments is kept.
type attachmentOptions struct {
	bucket, region, credentials string
	max                         int64
}

func (o *attachmentOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.bucket, "attachments", "", "`URL` of a bucket of an S3-compatible store for attachments, https://host/bucket or https://host/bucket/prefix; several servers need one (default: in the data directory)")
	f.StringVar(&o.region, "attachments-region", "", "`name` of the store's region (default: us-east-1, which stores without regions take)")
	f.StringVar(&o.credentials, "attachments-credentials", "", "`file` with the access key's id in its first line and its secret in the second")
	f.Int64Var(&o.max, "max-attachments", 20<<30, "bytes of attachments on disk: all of them, or with --attachments those that are being uploaded")
}

func (o *attachmentOptions) check() error {
	switch {
	case (o.bucket == "") != (o.credentials == ""):
		return cli.Usagef("--attachments and --attachments-credentials: give both or none")
	case o.bucket == "" && o.region != "":
		return cli.Usagef("--attachments-region: only with --attachments")
	case o.max < 1:
		return cli.Usagef("--max-attachments: want more than nothing")
	case o.bucket == "":
		return nil
	}
	if _, err := s3.New(s3.Options{URL: o.bucket, Key: "unread", Secret: "unread", Now: time.Now}); err != nil {
		return cli.Usagef("--attachments: %v", err)
	}
	return nil
}

// open returns the bucket; the credentials are read now.
func (o *attachmentOptions) open(now func() time.Time) (*s3.Bucket, error) {
	b, err := os.ReadFile(o.credentials)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 2 {
		return nil, fmt.Errorf("%s: %d lines, want two: the access key's id, and its secret", o.credentials, len(lines))
	}
	return s3.New(s3.Options{URL: o.bucket, Region: o.region, Key: strings.TrimSpace(lines[0]), Secret: strings.TrimSpace(lines[1]), Now: now})
}

// blobs are attachments, with what this disk has of them.
type blobs interface {
	attach.Blobs
	Used() int64
}

// blobs opens the store of attachments. That the bucket answers is looked at later, by whoever needs it: messages go without.
func (o *attachmentOptions) blobs(dir string, now func() time.Time) (blobs, error) {
	dir = filepath.Join(dir, "attachments")
	if o.bucket == "" {
		return attach.NewDisk(dir, o.max)
	}
	bucket, err := o.open(now)
	if err != nil {
		return nil, err
	}
	return attach.NewObjects(dir, o.max, bucket)
}

// examineAttachments asks the bucket.
func (o *serveOptions) examineAttachments(ctx context.Context, now time.Time) []finding {
	const what = "attachments"
	switch {
	case o.attachments.bucket == "" && o.cluster.bus != "":
		return []finding{warning(what, "give --attachments, or share the directory between the servers", "each server of the cluster looks for them in its own data directory")}
	case o.attachments.bucket == "":
		return nil
	}
	b, err := o.attachments.open(func() time.Time { return now })
	if err == nil {
		err = b.Check(ctx)
	}
	switch {
	case errors.Is(err, s3.ErrUnavailable):
		return []finding{wrong(what, "is "+o.attachments.bucket+" running, and reachable from here?", "%v", err)}
	case err != nil:
		return []finding{wrong(what, "see --attachments, --attachments-region and --attachments-credentials", "%v", err)}
	}
	if info, err := os.Stat(o.attachments.credentials); err == nil && info.Mode().Perm()&0o077 != 0 {
		return []finding{warning(what, "chmod 600 "+o.attachments.credentials, "%s can be read by other users of this computer", o.attachments.credentials)}
	}
	return []finding{ok(what, "in %s", o.attachments.bucket)}
}
