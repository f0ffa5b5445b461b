module github.com/countersign-project/countersign

go 1.26.0

require (
	filippo.io/age v1.3.2 
	filippo.io/hpke v0.4.0 
	github.com/BurntSushi/toml v1.6.0 
	github.com/gofrs/flock v0.13.1 
	github.com/inconshreveable/mousetrap v1.1.0 
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db 
	github.com/rivo/uniseg v0.4.7 
	github.com/schollz/progressbar/v3 v3.19.1 
	github.com/sigstore/sigstore v1.10.11 
	github.com/spf13/cobra v1.10.2 
	github.com/spf13/pflag v1.0.9 
	github.com/theupdateframework/go-tuf/v2 v2.4.2 
	golang.org/x/crypto v0.58.0 
	golang.org/x/mod v0.42.0 
	golang.org/x/sys v0.49.0 
	golang.org/x/term v0.47.0 
	golang.org/x/text v0.43.0 
)
