package compress_test

import (
	"encoding/hex"
	"testing"

	"github.com/ocilayout/ocilayout/internal/compress"
)

// hello is what each of the foreign streams says.
const hello = "hello, hello, hello, world\n"

// foreign are streams of hello by the reference tools, in hexadecimal.
var foreign = map[string]struct {
	format compress.Format
	hex    string
}{
	"bzip2":       {compress.Bzip2, "425a6839314159265359f6c1db04000005d1800010400406449080200031003023d46a7a9e90910907dadd1d1e8fe2ee48a70a121ed83b6080"},
	"zstd":        {compress.Zstd, "28b52ffd241b9d00006868656c6c6f2c20776f726c640a0100928b118a96f40b"},
	"xz none":     {compress.Xz, "fd377a585a000000ff12d9410200210100000000372797d6e0001a00135d00341949ee8def8c88495c92b6f596feaa64000000000001271ba2ce267006729e7a010000000000595a"},
	"xz crc32":    {compress.Xz, "fd377a585a0000016922de360200210100000000372797d6e0001a00135d00341949ee8def8c88495c92b6f596feaa6400000000c370a3c200012b1bae8193dc9042990d010000000001595a"},
	"xz crc64":    {compress.Xz, "fd377a585a000004e6d6b4460200210100000000372797d6e0001a00135d00341949ee8def8c88495c92b6f596feaa64000000004a993163907e3f0300012f1baa44ffb81fb6f37d010000000004595a"},
	"xz sha256":   {compress.Xz, "fd377a585a00000ae1fb0ca10200210100000000372797d6e0001a00135d00341949ee8def8c88495c92b6f596feaa6400000000ea057cf0627ee30ddfa12fc797d966de4d96f93cae7af896c60fc0d1cad327b30001471b05a5db15189b4b9a01000000000a595a"},
	"xz 3 blocks": {compress.Xz, "fd377a585a000004e6d6b44602c00e0a21011600f529749e01000968656c6c6f2c2068656c0000008573e4dc8d2225e102c00e0a21011600f529749e0100096c6f2c2068656c6c6f2c000000f34048de5482688502c00b0721011600f77c293601000620776f726c640a00001c6cc77320d31ad10003220a220a1f0736008c00b1c467fb020000000004595a"},
}

// nothing are streams of zero bytes by the reference tools.
var nothing = map[compress.Format]string{
	compress.Gzip:  "1f8b080000000000000303000000000000000000",
	compress.Zstd:  "28b52ffd240001000099e9d851",
	compress.Xz:    "fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a",
	compress.Bzip2: "425a683917724538509000000000",
}

// xzBig is a stream that asks for a dictionary of 8 MiB.
const xzBig = "fd377a585a000000ff12d9410200210116000000742fe5a3e0001a00135d00341949ee8def8c88495c92b6f596feaa64000000000001271ba2ce267006729e7a010000000000595a"

// xzX86 is a stream with a filter for machine code before LZMA2.
const xzX86 = "fd377a585a000004e6d6b44602010400210110008b216f49e0001a00135d00341949db855cd1d65ae2f7c6d77327503bd00000004a993163907e3f0300012f1baa44ffb81fb6f37d010000000004595a"

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// samples are whole streams of hello in every format, our own writers included.
func samples(tb testing.TB) map[string]struct {
	format compress.Format
	data   []byte
} {
	all := map[string]struct {
		format compress.Format
		data   []byte
	}{
		"our gzip": {compress.Gzip, pack(tb, compress.Gzip, []byte(hello))},
		"our zstd": {compress.Zstd, pack(tb, compress.Zstd, []byte(hello))},
	}
	for name, s := range foreign {
		c := all[name]
		c.format, c.data = s.format, unhex(tb, s.hex)
		all[name] = c
	}
	if len(all) < 9 {
		tb.Fatalf("only %d sample streams", len(all))
	}
	return all
}
