package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Clients is the set of an issuer's registered clients. Immutable.
type Clients struct {
	byID     map[string]*registration
	stranger *registration     // stands in for a client that is not registered
	origins  map[string]bool   // of all clients
	folded   map[string]string // lower-case id → id, to recognise a misspelt one
}

// registration is a client as requests meet it. Every registration of a set,
// the stranger's included, costs the same to verify a wrong secret against.
type registration struct {
	client    *Client // nil: the stranger
	origins   map[string]bool
	fast      [][sha256.Size]byte // digests of plain and sha256: secrets, then random ones
	slow      []*slowHash
	costliest *slowHash // of the whole set; nil: it has no slow hash
	padding   int       // how often costliest is computed for nothing
}

// NewClients checks each client (a confidential one has a secret, a public one
// none, redirect URIs are absolute without fragment, origins are serialized
// origins, …) and returns the set. issuer's own origin is always allowed.
// An error about a client is a *ConfigError and says what to write instead.
func NewClients(issuer string, clients []*Client) (*Clients, error) {
	own, ok := originOf(issuer)
	if !ok {
		return nil, fmt.Errorf("issuer: %q is not an https or http URL", issuer)
	}
	set := &Clients{
		byID:     make(map[string]*registration, len(clients)),
		stranger: new(registration),
		origins:  map[string]bool{own: true},
		folded:   make(map[string]string, len(clients)),
	}
	for _, client := range clients {
		if set.byID[client.ID] != nil {
			return nil, &ConfigError{Client: client.ID, Err: errors.New("two clients have this client_id: put their options together, or rename one")}
		}
		if err := client.check(); err != nil {
			return nil, err
		}
		set.byID[client.ID] = register(client, own)
		set.folded[fold(client.ID)] = client.ID
		maps.Copy(set.origins, set.byID[client.ID].origins)
	}
	for _, client := range clients {
		if err := client.checkAudience(set.byID); err != nil {
			return nil, err
		}
	}
	set.level()
	return set, nil
}

// Get returns a registered client or nil.
func (c *Clients) Get(id string) *Client {
	if r := c.byID[id]; r != nil {
		return r.client
	}
	return nil
}

// All returns the clients, sorted by ID.
func (c *Clients) All() []*Client {
	all := make([]*Client, 0, len(c.byID))
	for _, id := range slices.Sorted(maps.Keys(c.byID)) {
		all = append(all, c.byID[id].client)
	}
	return all
}

// find returns a client's registration, or the stranger's.
func (c *Clients) find(id string) *registration {
	if r := c.byID[id]; r != nil {
		return r
	}
	return c.stranger
}

func register(client *Client, issuerOrigin string) *registration {
	r := &registration{client: client, origins: map[string]bool{issuerOrigin: true}}
	for _, origin := range client.AllowedOrigins {
		r.origins[origin] = true
	}
	for _, uri := range client.RedirectURIs {
		if origin, ok := originOf(uri); ok && client.public() {
			r.origins[origin] = true
		}
	}
	for _, secret := range client.Secrets {
		if secret.slow != nil {
			r.slow = append(r.slow, secret.slow)
		} else {
			r.fast = append(r.fast, secret.digest)
		}
	}
	return r
}

// level makes a wrong secret cost the same whoever it is presented for: as
// many comparisons and as many slow hashes as the client with the most has.
func (c *Clients) level() {
	all := append(slices.Collect(maps.Values(c.byID)), c.stranger)
	fast, slow := 1, 0
	var costliest *slowHash
	for _, r := range all {
		fast, slow = max(fast, len(r.fast)), max(slow, len(r.slow))
		for _, hash := range r.slow {
			if costliest == nil || hash.work > costliest.work {
				costliest = hash
			}
		}
	}
	for _, r := range all {
		r.costliest, r.padding = costliest, slow-len(r.slow)
		for len(r.fast) < fast {
			var nobodys [sha256.Size]byte
			_, _ = rand.Read(nobodys[:]) // never fails: crypto/rand ends the process instead
			r.fast = append(r.fast, nobodys)
		}
	}
}

// matchesFast compares a presented secret with the fast digests, all of them:
// digests have one length, and where they differ tells nothing about the
// secret (OpenID Connect Core §16.12).
func (r *registration) matchesFast(presented string) bool {
	digest := sha256.Sum256([]byte(presented))
	matched := 0
	for i := range r.fast {
		matched |= subtle.ConstantTimeCompare(digest[:], r.fast[i][:])
	}
	return matched == 1
}

// fold makes ids that people take for one another equal. Only for hints.
func fold(id string) string { return strings.ToLower(strings.TrimSpace(id)) }
