package erasure

// Arithmetic in GF(2^16) with the modulus x^16+x^12+x^3+x+1. Everything here is public data, so its time may vary.

// reduce brings an unreduced product, of degree at most 30, back into the field: x^16 is x^12+x^3+x+1, and each fold
// lowers the degree of what hangs over by at least 4.
func reduce(r uint32) uint16 {
	for r>>16 != 0 {
		h := r >> 16
		r = r&0xffff ^ h ^ h<<1 ^ h<<3 ^ h<<12
	}
	return uint16(r)
}

func mul(a, b uint16) uint16 {
	var r uint32
	wide := uint32(a)
	for i := range 16 {
		r ^= wide << i & -(uint32(b) >> i & 1)
	}
	return reduce(r)
}

// inverse is a^(2^16-2). The inverse of zero does not occur: points are distinct.
func inverse(a uint16) uint16 {
	r, square := uint16(1), a
	for range 15 {
		square = mul(square, square)
		r = mul(r, square)
	}
	return r
}

// point is the value y of the 16 polynomials at x.
type point struct {
	x uint16
	y symbols
}

// weights returns, for each point, the inverse of the product of its distances to all others.
func weights(points []point) []uint16 {
	w := make([]uint16, len(points))
	for i, p := range points {
		product := uint16(1)
		for j, o := range points {
			if i != j {
				product = mul(product, p.x^o.x)
			}
		}
		w[i] = inverse(product)
	}
	return w
}

// interpolate evaluates at x the polynomials of lowest degree through the points (Lagrange).
func interpolate(points []point, w []uint16, x uint16) symbols {
	// after[i] is the product of the distances from x to the points after i, before of those before it: together the numerator.
	after := make([]uint16, len(points)+1)
	after[len(points)] = 1
	for i := len(points) - 1; i >= 0; i-- {
		if points[i].x == x {
			return points[i].y
		}
		after[i] = mul(after[i+1], x^points[i].x)
	}
	before := uint16(1)
	var sum [len(symbols{})]uint32
	for i, p := range points {
		c := mul(mul(before, after[i+1]), w[i])
		before = mul(before, x^p.x)
		for shift := 0; c != 0; shift, c = shift+1, c>>1 {
			if c&1 != 0 {
				for k, y := range p.y {
					sum[k] ^= uint32(y) << shift
				}
			}
		}
	}
	var out symbols
	for k, s := range sum {
		out[k] = reduce(s)
	}
	return out
}
