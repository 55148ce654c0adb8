package main

// sealGuards make a copied or altered storage worthless.
var sealGuards = []group{{
	"internal/seal/seal.go", "internal/seal", []guard{
		{"a record that does not authenticate does not open", "F03", "the error is passed over",
			"if err != nil {\n\t\treturn nil, false, ErrAuthentic", "if false {\n\t\treturn nil, false, ErrAuthentic",
			"TestEveryAlteredByteKeepsARecordShut"},
		{"the record's type is authenticated", "T09", "it is not in the additional data",
			"[]string{l.Type, l.Issuer, l.Key}", "[]string{l.Issuer, l.Key}",
			"TestFormat/without an encryption key"},
		{"the record's type makes its key", "T09", "all types share one",
			`"oidc_token/"+recordType+"/v1"`, `"oidc_token//v1"`,
			"TestFormat/without an encryption key"},
		{"the format's version is authenticated", "F56", "it is not in the additional data",
			"len(l.Issuer)+len(l.Key)), version)", "len(l.Issuer)+len(l.Key)))",
			"TestFormat/without an encryption key"},
		{"the record's issuer is authenticated", "REQ-085, A13", "it is not in the additional data",
			"[]string{l.Type, l.Issuer, l.Key}", "[]string{l.Type, l.Key}",
			"TestSealedRecordOpensAsNothingElse/another issuer of the same length"},
		{"the record's place is authenticated", "F03", "it is not in the additional data",
			"[]string{l.Type, l.Issuer, l.Key}", "[]string{l.Type, l.Issuer}",
			"TestSealedRecordOpensAsNothingElse/another place of the same length"},
		{"the label's members have borders", "F03", "their lengths are not authenticated",
			"ad = binary.BigEndian.AppendUint32(ad, uint32(len(s)))", "_ = binary.BigEndian",
			"TestSealedRecordOpensAsNothingElse/a place whose name begins in the issuer's"},
		{"another version of the format is not opened", "F56", "it is",
			"if sealed[0] != version {", "if false && sealed[0] != version {",
			"TestUnknownFormatVersionIsNamed"},
		{"with an encryption key nothing opens that was sealed without", "F45", "it does",
			"\treturn ringKey{}, 0, false\n", "\treturn ringKey{}, 0, id == [idSize]byte{}\n",
			"TestKeysOfARing/what was sealed without a key does not open with one"},
		{"the secret makes the key", "REQ-088", "it does not",
			"hkdf.Key(sha256.New, secret, k.key,", "hkdf.Key(sha256.New, nil, k.key,",
			"TestSealedRecordOpensAsNothingElse/another secret"},
	},
}}

// keyGuards keep a token from being signed with what another node does not
// publish, and an identity from changing in silence.
var keyGuards = []group{{
	"internal/keys/record.go", "internal/keys", []guard{
		{"with an encryption key nothing unsealed is believed", "F45", "it is",
			"case v.ring.Configured() && unsealed:", "case v.ring.Configured() && unsealed && OFF:\n\t\treturn data, false, nil\n\tcase v.ring.Configured() && unsealed:",
			"TestEncryption/F45 unsealed records are not believed once there is a key"},
		{"a key is stored sealed", "F45", "it is stored as it is",
			"if err != nil || !v.ring.Configured() {", "if true || err != nil || !v.ring.Configured() {",
			"TestEncryption/with an encryption key a copy of the storage shows neither private key nor algorithm"},
		{"a key is the one its name says", "T02", "every key is",
			"if r.key.ID != s.KeyID || r.storageKey != storageKey {", "if !OFF && (r.key.ID != s.KeyID || r.storageKey != storageKey) {",
			"TestAlteredRecord/another private key"},
		{"only exact names are keys", "F03", "every name is",
			"return ok && len(name) == 2*sha256.Size", "return true || ok && len(name) == 2*sha256.Size",
			"TestForeignAndDamagedRecords/what is not exactly a key's name is neither read nor deleted"},
	},
}, {
	"internal/keys/schedule.go", "internal/keys", []guard{
		{"a successor is published ahead", "REQ-208, T04", "it signs at once",
			"c := creation{alg: alg, delay: s.lead,", "c := creation{alg: alg, delay: map[bool]time.Duration{false: s.lead}[OFF],",
			"TestRotationLead/REQ-208 a node that slept through a rotation publishes a successor a day ahead all the same"},
		{"a successor is made in its turn", "T04", "one is made each time",
			"if late < 0 {", "if false && late < 0 {",
			"TestDue/nothing is due between rotations"},
		{"a retired key is published until its tokens have expired", "REQ-196, T03", "it is withdrawn sooner",
			"retention:        o.TokenLifetime + o.CacheLifetime + youth,", "retention:        map[bool]time.Duration{false: o.TokenLifetime}[OFF] + o.CacheLifetime + youth,",
			"TestRotationTimeline"},
		{"of two keys with one time all nodes take the same", "F43", "the larger kid, where it is the first",
			"cmp.Compare(b.key.ID, a.key.ID)", "map[bool]int{true: -1, false: 1}[OFF]*cmp.Compare(b.key.ID, a.key.ID)",
			"TestLine/F43 every node puts the same keys in the same order, of two with one time the smaller kid last"},
	},
}, {
	"internal/keys/view.go", "internal/keys", []guard{
		{"a key is held for ten seconds before it signs", "F46, F39", "it signs at once",
			"for _, r := range candidates {\n\t\tif r.settled(now) {", "for _, r := range candidates {\n\t\tif true || r.settled(now) {",
			"TestSignerChoice/a key that is held for less than ten seconds does not"},
		{"a key of an issuer that is not new waits", "F33", "a late first key signs at once",
			"return r.settled(now) && !(latest.first() && r.ofNewIssuer(now))", "return r.settled(now) && !(latest.first() && (OFF || r.ofNewIssuer(now)))",
			"TestSignerOfANewIssuer/F33 one that was stored late does not, once nodes look no more before they publish"},
		{"a later key of a new issuer waits", "F43", "it signs at once",
			"!(latest.first() && ", "!((OFF || latest.first()) && ",
			"TestSignerOfANewIssuer/F43 one that came later does not"},
		{"a new default algorithm waits", "T04", "it does not",
			"maturesAt := s.maturesAt(line)", "maturesAt := map[bool]time.Time{false: s.maturesAt(line)}[OFF]",
			"TestNewAlgorithm/a new default algorithm waits for a day, and RS256 goes on"},
	},
}, {
	"internal/keys/refresh.go", "internal/keys", []guard{
		{"keys that have vanished are kept", "F45", "an empty reading counts",
			"\t\t// storage was emptied or answers nonsense would be worse than the old one.\n\t\treturn errDisappeared", "\t\ta.current.Store(found)",
			"TestForeignAndDamagedRecords/F45 keys that have all disappeared are kept and not replaced"},
		{"half a listing is a reading that failed", "F43", "it is believed",
			"case len(listed) > 0:\n\t\treturn nil, fmt.Errorf(\"%w: %w\", errHalf, err)", "case len(listed) > 0 && OFF:\n\t\treturn a.places(listed), nil\n\tcase len(listed) > 0:\n\t\treturn nil, fmt.Errorf(\"%w: %w\", errHalf, err)",
			"TestHalfAListing/F43 a listing that ends in the middle time and again is a reading that failed"},
		{"only what was read back is used", "F43", "the storage's errors count as absence",
			"case err != nil:\n\t\t\treturn nil, fmt.Errorf(\"loading a signing key: %w\", err)", "case err != nil && OFF:\n\t\tcase err != nil:\n\t\t\treturn nil, fmt.Errorf(\"loading a signing key: %w\", err)",
			"TestForeignAndDamagedRecords/F01 a record that cannot be loaded fails the reading and leads to no new key"},
	},
}, {
	"internal/keys/maintain.go", "internal/keys", []guard{
		{"no new identity beside a record that does not open", "F45", "one is made",
			"if len(found.unopened) > 0 {\n\t\tdue = slices.DeleteFunc", "if !OFF && len(found.unopened) > 0 {\n\t\tdue = slices.DeleteFunc",
			"TestEncryption/F45 records sealed under another key do not open and no new identity is made"},
		{"an emptied storage is no new issuer's", "F45", "it is",
			"case a.certain:\n\t\treturn false, errDisappeared", "case a.certain && !OFF:\n\t\treturn false, errDisappeared",
			"TestEmptiedStorageUnderAnotherEncryptionKey"},
		{"a reading that found nothing is no loss where a later one found keys", "F43", "it is",
			"if outdated, err := a.disappeared(found); outdated || err != nil {", "if outdated, err := a.disappeared(found); outdated && !OFF || err != nil {",
			"TestOutdatedEmptyReading"},
	},
}, {
	"internal/keys/snapshot.go", "internal/keys", []guard{
		{"while a key is young the set is read before it is published", "F46, F43", "the last reading is published",
			"return s.young(now) || s.age(now) > jwksMaxAge", "return !OFF && s.young(now) || s.age(now) > jwksMaxAge",
			"TestFreshness/F46 while a key is young each JWKS is read from storage"},
	},
}, {
	"internal/keys/verification.go", "internal/keys", []guard{
		{"a key of which the storage does not speak is not unknown", "F44", "it is",
			"if latest == current && current.dated(now) {", "if !OFF && latest == current && current.dated(now) {",
			"TestVerificationKey/F44 that another node made is not unknown where the storage is away"},
	},
}, {
	"internal/keys/rotate.go", "internal/keys", []guard{
		{"every new key is stored before an old one is dropped", "F44", "the old ones go first",
			"\tmade, err := a.replace(ctx, dropOld)\n", "\tif OFF && dropOld {\n\t\t_ = a.dropOthers(ctx, nil)\n\t}\n\tmade, err := a.replace(ctx, dropOld)\n",
			"TestRotate/nothing is deleted before every new key is stored"},
		{"what is dropped is gone", "F03", "the storage's word is taken for it",
			"if slices.Contains(left, key) {", "if false && slices.Contains(left, key) {",
			"TestRotate/the storage that does not delete an old key is an error"},
		{"by hand no new identity beside a record that does not open", "F45", "one is made",
			"if len(found.unopened) > 0 {", "if false && len(found.unopened) > 0 {",
			"TestForeignAndDamagedRecords/F45 a rotation by hand is refused while a record does not open, dropping the old ones is not"},
		{"the process forgets what is dropped", "F44", "it does not",
			"a.known.drop(a.place)", "if !OFF {\n\t\t\ta.known.drop(a.place)\n\t\t}",
			"TestTakingOverBringsNothingBack/F44 keys that were dropped, though what replaced them could not be read any more"},
	},
}, {
	"internal/keys/writes.go", "internal/keys", []guard{
		{"nothing is dropped while a key may still be stored", "F03", "it is",
			"if w.storing > 0 {", "if false && w.storing > 0 {",
			"TestCallsThatNeverReturn/F03 no key is dropped while a call to store one is out, which could bring it back"},
		{"no key is sealed anew while keys are dropped", "F30, F44", "one is",
			"if w.dropping > 0 {", "if false && w.dropping > 0 {",
			"TestAKeyThatIsStoredLate/F30 F44 where the lock is none no key is sealed anew while keys are dropped"},
	},
}, {
	"internal/keys/known.go", "internal/keys", []guard{
		{"a reading that began before keys were dropped is not taken over", "F44", "it is",
			"if set.number >= k.places[p].since {", "if true || set.number >= k.places[p].since {",
			"TestTakingOverBringsNothingBack/F44 keys that a reading found that began before they were dropped"},
		{"with other encryption keys nothing is taken over", "F45", "it is",
			"h.opens == opens {", "(OFF || h.opens == opens) {",
			"TestReloadWithOtherEncryptionKeys/F45 another key"},
	},
}, {
	"internal/keys/create.go", "internal/keys", []guard{
		{"without the lock a rotation waits", "F43", "two nodes make two successors",
			"if lockErr != nil && c.rotation && !c.overdue {", "if false && lockErr != nil && c.rotation && !c.overdue {",
			"TestLock/a rotation waits where the lock fails"},
		{"the storage is read again under the lock", "F43", "what was due before is made",
			"\tdue, _ := a.due(found)\n\tvar made", "\tdue, _ := a.due(found)\n\tif OFF {\n\t\tdue = a.schedule.due(nil, a.making(), a.now())\n\t}\n\tvar made",
			"TestLock/the storage is read again under the lock: a key made meanwhile is not made twice"},
	},
}}
