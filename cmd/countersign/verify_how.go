package main

import (
	"fmt"
	"strings"
)

// howText tells how to find out the same with tools that are not ours: sha256sum, npm's tuf-js, cosign.
// Reasons 1 and 3 are what a stock TUF client checks; 2 can be read off the metadata; 4 takes the
// statements one by one.
func howText(v *verifying) string {
	base := "https://MIRROR"
	if len(v.sources) > 0 && strings.Contains(v.sources[0].String(), "://") {
		base = v.sources[0].String()
	}
	target := "CHANNEL/VERSION/OS-ARCH/PROGRAM"
	if len(v.found) > 0 {
		target = v.found[0].Path
	}
	manifest := strings.Join(strings.SplitN(target, "/", 3)[:2], "/") + "/release.json"
	root := v.Root
	if root == "" {
		root = "release/anchor/distribution/root.json (from the source you reviewed)"
	}
	return fmt.Sprintf(`The same with other tools:

1. The hash of the file:

     sha256sum %[1]s

   It must print %[2]x.

2. What the auditors signed, with npm's tuf-js (a TUF client by other people). Put %[3]s
   as trusted/root.json, then:

     npm install tuf-js && cat > ask.mjs <<'END'
     import { Updater } from 'tuf-js';
     const u = new Updater({ metadataDir: 'trusted', metadataBaseUrl: '%[4]s/metadata',
                             targetDir: '.', targetBaseUrl: '%[4]s/targets' });
     await u.refresh();
     const t = await u.getTargetInfo('%[5]s');
     console.log(t ? t.hashes.sha256 : 'not signed');
     END
     node ask.mjs

   It must print the hash of step 1. It counts keys; who holds them is in trusted/targets.json
   (x-countersign-holder, -organisation, -jurisdiction).

3. Who rebuilt it: ask the same way for %[6]s; its sha256 names
   %[4]s/evidence/<sha256>.json. Each entry of "statements" there is a sigstore bundle. Save one as
   bundle.json, and the rebuilder's public key (policy.json, "statement", base64 of DER) as key.pem
   between the lines -----BEGIN PUBLIC KEY----- and -----END PUBLIC KEY-----:

     cosign verify-blob-attestation --key key.pem --bundle bundle.json --type slsaprovenance1 \
       --insecure-ignore-tlog %[1]s

   Reviews are there too (--type https://github.com/countersign-project/countersign/review/v1).

4. That it is in the public log: "countersign verify --save proof.json %[1]s" writes
   proof.json.release.entry and proof.json.release.tlog-proof (C2SP tlog-proof), and the same for each
   statement. Any tool for that standard checks them with the keys in release/anchor/distribution/log.policy.

5. That nobody has withdrawn it: metadata/N.snapshot.json names N.withdrawn.json, if there is one, with
   its sha256; each entry of "statements" in it is a bundle as in step 3.
`, v.File, v.sum, root, strings.TrimSuffix(base, "/"), target, manifest)
}
