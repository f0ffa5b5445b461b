package split

import (
	"crypto/sha3"

	"github.com/countersign-project/countersign/messenger/keys"
)

const (
	rank = 3    // k of ML-KEM-768
	n    = 256  // coefficients of a polynomial
	q    = 3329 // their modulus
)

// poly is a polynomial with coefficients in [0, q).
type poly [n]uint16

// reduce brings a product, at most (q-1)², into [0, q).
func reduce(x uint32) uint16 { return uint16(x % q) }

// sub is (a - b) mod q.
func sub(a, b uint16) uint16 { return reduce(uint32(a) + q - uint32(b)) }

// plus is (a + b) mod q.
func plus(a, b uint16) uint16 { return reduce(uint32(a) + uint32(b)) }

func (p *poly) add(o *poly) {
	for i := range p {
		p[i] = plus(p[i], o[i])
	}
}

// addMessage adds the message, one bit per coefficient, as 0 or (q+1)/2 (decompression to one bit, FIPS 203, 4.2.1).
func (p *poly) addMessage(m keys.Secret) {
	for i := range p {
		bit := uint16(m[i/8]>>(i%8)) & 1
		p[i] = plus(p[i], -bit&((q+1)/2))
	}
}

// sampleNoise draws from the centred binomial distribution with parameter 2 (FIPS 203, algorithm 8), out of
// SHAKE256(coins ‖ nonce).
func sampleNoise(coins keys.Secret, nonce byte) (p poly) {
	x := sha3.NewSHAKE256()
	x.Write(coins[:])
	x.Write([]byte{nonce})
	var b [n / 2]byte
	x.Read(b[:])
	for i, v := range b {
		p[2*i] = sub(uint16(v&1+v>>1&1), uint16(v>>2&1+v>>3&1))
		p[2*i+1] = sub(uint16(v>>4&1+v>>5&1), uint16(v>>6&1+v>>7&1))
	}
	clear(b[:])
	return p
}

// sampleNTT draws a uniform polynomial in the NTT domain by rejection (FIPS 203, algorithm 7). Rho and the indices are public.
func sampleNTT(rho []byte, i, j byte) (p poly) {
	x := sha3.NewSHAKE128()
	x.Write(rho)
	x.Write([]byte{i, j})
	var b [168]byte
	for have := 0; ; {
		x.Read(b[:])
		for k := 0; k < len(b); k += 3 {
			for _, d := range [2]uint16{uint16(b[k]) | uint16(b[k+1]&15)<<8, uint16(b[k+1]>>4) | uint16(b[k+2])<<4} {
				if d < q {
					p[have] = d
					if have++; have == n {
						return p
					}
				}
			}
		}
	}
}

// ntt is FIPS 203, algorithm 9.
func (p *poly) ntt() {
	k := 1
	for length := 128; length >= 2; length /= 2 {
		for start := 0; start < n; start += 2 * length {
			zeta := uint32(zetas[k])
			k++
			for j := start; j < start+length; j++ {
				t := reduce(zeta * uint32(p[j+length]))
				p[j+length] = sub(p[j], t)
				p[j] = plus(p[j], t)
			}
		}
	}
}

// inverseNTT is FIPS 203, algorithm 10.
func (p *poly) inverseNTT() {
	k := 127
	for length := 2; length <= 128; length *= 2 {
		for start := 0; start < n; start += 2 * length {
			zeta := uint32(zetas[k])
			k--
			for j := start; j < start+length; j++ {
				t := p[j]
				p[j] = plus(t, p[j+length])
				p[j+length] = reduce(zeta * uint32(sub(p[j+length], t)))
			}
		}
	}
	const inverse128 = 3303
	for i := range p {
		p[i] = reduce(uint32(p[i]) * inverse128)
	}
}

// mulAdd adds a·b, both in the NTT domain, to sum (FIPS 203, algorithms 11 and 12).
func mulAdd(sum, a, b *poly) {
	for i := 0; i < n; i += 2 {
		gamma := zetas[64+i/4]
		if i%4 != 0 {
			gamma = q - gamma
		}
		a0, a1, b0, b1 := uint32(a[i]), uint32(a[i+1]), uint32(b[i]), uint32(b[i+1])
		sum[i] = reduce(uint32(sum[i]) + a0*b0 + uint32(reduce(a1*b1))*uint32(gamma))
		sum[i+1] = reduce(uint32(sum[i+1]) + a0*b1 + a1*b0)
	}
}

// compress is FIPS 203, 4.7: round(2^d/q · x) mod 2^d.
func compress(x uint16, d int) uint32 {
	return ((uint32(x)<<d + q/2) / q) & (1<<d - 1)
}

func (p *poly) appendCompressed10(dst []byte) []byte {
	for i := 0; i < n; i += 4 {
		a, b, c, d := compress(p[i], 10), compress(p[i+1], 10), compress(p[i+2], 10), compress(p[i+3], 10)
		dst = append(dst, byte(a), byte(a>>8|b<<2), byte(b>>6|c<<4), byte(c>>4|d<<6), byte(d>>2))
	}
	return dst
}

func (p *poly) appendCompressed4(dst []byte) []byte {
	for i := 0; i < n; i += 2 {
		dst = append(dst, byte(compress(p[i], 4)|compress(p[i+1], 4)<<4))
	}
	return dst
}

// decode12 reads 256 coefficients of 12 bits, and tells whether all are reduced.
func decode12(b []byte) (p poly, ok bool) {
	ok = true
	for i := 0; i < n; i += 2 {
		k := 3 * i / 2
		p[i] = uint16(b[k]) | uint16(b[k+1]&15)<<8
		p[i+1] = uint16(b[k+1]>>4) | uint16(b[k+2])<<4
		ok = ok && p[i] < q && p[i+1] < q
	}
	return p, ok
}

// zetas are the powers 17^BitRev7(i) mod q (FIPS 203, appendix A). A constant table.
var zetas = [128]uint16{
	1, 1729, 2580, 3289, 2642, 630, 1897, 848, 1062, 1919, 193, 797, 2786, 3260, 569, 1746,
	296, 2447, 1339, 1476, 3046, 56, 2240, 1333, 1426, 2094, 535, 2882, 2393, 2879, 1974, 821,
	289, 331, 3253, 1756, 1197, 2304, 2277, 2055, 650, 1977, 2513, 632, 2865, 33, 1320, 1915,
	2319, 1435, 807, 452, 1438, 2868, 1534, 2402, 2647, 2617, 1481, 648, 2474, 3110, 1227, 910,
	17, 2761, 583, 2649, 1637, 723, 2288, 1100, 1409, 2662, 3281, 233, 756, 2156, 3015, 3050,
	1703, 1651, 2789, 1789, 1847, 952, 1461, 2687, 939, 2308, 2437, 2388, 733, 2337, 268, 641,
	1584, 2298, 2037, 3220, 375, 2549, 2090, 1645, 1063, 319, 2773, 757, 2099, 561, 2466, 2594,
	2804, 1092, 403, 1026, 1143, 2150, 2775, 886, 1722, 1212, 1874, 1029, 2110, 2935, 885, 2154,
}
