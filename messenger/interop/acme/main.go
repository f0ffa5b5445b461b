// The program acme is pebble, the ACME authority that Let's Encrypt keeps for tests, with what a test needs round it: it listens on a port
// that is free, says so, and sees every name at 127.0.0.1. Tests of cmd/messengerd start it; it is never shipped.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

func main() {
	dir := flag.String("dir", ".", "where server.pem, which the directory's certificate is to be checked with, and root.pem, which signs what is issued, are written")
	tlsPort := flag.Int("tls-port", 443, "where challenges are looked at")
	flag.Parse()
	if err := run(*dir, *tlsPort); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, tlsPort int) error {
	names, err := resolve()
	if err != nil {
		return err
	}
	logger := log.New(os.Stderr, "", 0)
	store := db.NewMemoryStore()
	authority := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "for tests"}})
	validator := va.New(logger, 1, tlsPort, false, names, store)
	front := wfe.New(logger, store, validator, authority, []string{"authority.example"}, false, false, 0, 0)
	if err := os.WriteFile(filepath.Join(dir, "root.pem"), authority.GetRootCert(0).PEM(), 0o600); err != nil {
		return err
	}
	pair, err := certificate(filepath.Join(dir, "server.pem"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening https://%s%s\n", l.Addr(), wfe.DirectoryPath)
	return http.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}}), front.Handler())
}

// resolve starts a name server that has one answer, and returns its address.
func resolve() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // pebble asks by TCP
	if err != nil {
		return "", err
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { log.Fatal(server.ActivateAndServe()) }()
	return l.Addr().String(), nil
}

// certificate makes one for the directory itself.
func certificate(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}
