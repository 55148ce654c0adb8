package main

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

//go:embed Caddyfile site
var files embed.FS

// secrets are made at the first start: in this repository they would be
// everybody's. They are kept as they are, readable for their owner alone,
// because each start shows them anew.
type secrets struct {
	password string // of alice
	client   string // of the second application
}

// dataDir is a folder of the example's own: not Caddy's, whose certificates
// and keys are none of its business, and the same at each start.
func dataDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "caddy-oidc-token-example")
	return dir, os.MkdirAll(dir, 0o700)
}

// layOut writes the Caddyfile and the site into dir, and secrets where there
// are none.
func layOut(dir string) (secrets, error) {
	if err := copyFiles(dir); err != nil {
		return secrets{}, err
	}
	password, err := keep(filepath.Join(dir, "alice.password"), newPassword)
	if err != nil {
		return secrets{}, err
	}
	client, err := keep(filepath.Join(dir, "web.secret"), newSecret)
	if err != nil {
		return secrets{}, err
	}
	return secrets{password, client}, writeHash(filepath.Join(dir, "alice.hash"), password)
}

// copyFiles makes the site what this program was built with: a file of an
// older one would stay there and be served.
func copyFiles(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, "site")); err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(dir, name), 0o700)
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), content, 0o600)
	})
}

// keep returns the secret in a file, which it makes where there is none.
func keep(file string, secret func() string) (string, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return read(file)
	}
	if err != nil {
		return "", err
	}
	made := secret()
	_, err = f.WriteString(made + "\n")
	return made, errors.Join(err, f.Close())
}

// read refuses an empty file, which a start that was cut off may have left:
// alice would sign in without a password.
func read(file string) (string, error) {
	kept, err := os.ReadFile(file)
	secret := strings.TrimSpace(string(kept))
	if err == nil && secret == "" {
		err = fmt.Errorf("%s is empty: remove it, and it is made anew", file)
	}
	return secret, err
}

// newSecret is for programs: 256 bits.
func newSecret() string {
	random := make([]byte, 32)
	rand.Read(random) // never fails
	return base64.RawURLEncoding.EncodeToString(random)
}

// newPassword is for people, who read it in one window and type it into
// another: 60 bits, in letters and digits that look different.
func newPassword() string {
	const alphabet = "abcdefghjkmnpqrstuvwxyz123456789"
	random := make([]byte, 12)
	rand.Read(random) // never fails
	for i, b := range random {
		random[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(random[:4]) + "-" + string(random[4:8]) + "-" + string(random[8:])
}

// writeHash writes what basic_auth compares a password with.
func writeHash(file, password string) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(hash, '\n'), 0o600)
}
