package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// emptySum is SHA-256 of nothing.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// sign adds the headers of AWS Signature Version 4: x-amz-date, x-amz-content-sha256, Authorization. What is signed: method, path, query,
// host, range, all x-amz headers, and the hash of the body.
func sign(req *http.Request, key, secret, region, bodySum string, now time.Time) {
	at := now.UTC().Format("20060102T150405Z")
	req.Header.Set("X-Amz-Date", at)
	req.Header.Set("X-Amz-Content-Sha256", bodySum)

	headers, names := canonicalHeaders(req)
	canonical := strings.Join([]string{req.Method, req.URL.EscapedPath(), req.URL.RawQuery, headers, names, bodySum}, "\n")
	scope := at[:8] + "/" + region + "/s3/aws4_request"
	hash := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", at, scope, hex.EncodeToString(hash[:])}, "\n")

	k := mac([]byte("AWS4"+secret), at[:8])
	for _, part := range []string{region, "s3", "aws4_request"} {
		k = mac(k, part)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/"+scope+",SignedHeaders="+names+",Signature="+hex.EncodeToString(mac(k, text)))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalHeaders returns the signed headers, one a line, and their names.
func canonicalHeaders(req *http.Request) (lines, names string) {
	signed := map[string]string{"host": req.URL.Host}
	for name, values := range req.Header {
		if n := strings.ToLower(name); n == "range" || strings.HasPrefix(n, "x-amz-") {
			signed[n] = strings.TrimSpace(strings.Join(values, ","))
		}
	}
	var list []string
	for n := range signed {
		list = append(list, n)
	}
	slices.Sort(list)
	for _, n := range list {
		lines += n + ":" + signed[n] + "\n"
	}
	return lines, strings.Join(list, ";")
}

// canonicalQuery writes a query as it is signed: sorted, and escaped but for RFC 3986's unreserved letters.
func canonicalQuery(q url.Values) string {
	var list []string
	for name, values := range q {
		for _, v := range values {
			list = append(list, escape(name)+"="+escape(v))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "&")
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
