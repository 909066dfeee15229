;; One pass over all nodes for one pod: does it fit, and what is each node worth?
;; In: where the columns lie, what the pod asks for, the blocks of 64 rows to pass over.
;; Out: the best worth of each block and how many rows have it; the worths of the last block; the
;; count of rows where it fits. Worth is weight of least * score + weight of balance * (score - 49),
;; and -1 where the pod does not fit.
;; 128-bit lanes, nothing relaxed.
(module
  (import "columns" "memory" (memory 1))
  ;; Byte offsets: six Float64 columns of so many bytes each, followed by two of Int32; narrow
  ;; columns block by block; 32 bytes of each block; two numbers of each; one block of worths.
  (global $stride (mut i32) (i32.const 0))
  (global $narrow (mut i32) (i32.const 0))
  (global $heads (mut i32) (i32.const 0))
  (global $blockBest (mut i32) (i32.const 0))
  (global $blockTies (mut i32) (i32.const 0))
  (global $worths (mut i32) (i32.const 0))
  (func (export "layOut") (param i32 i32 i32 i32 i32 i32)
    (global.set $stride (local.get 0))
    (global.set $narrow (local.get 1))
    (global.set $heads (local.get 2))
    (global.set $blockBest (local.get 3))
    (global.set $blockTies (local.get 4))
    (global.set $worths (local.get 5)))

  (global $cpuFits (mut v128) (v128.const i64x2 0 0))
  (global $memoryFits (mut v128) (v128.const i64x2 0 0))
  (global $cpuTakes (mut v128) (v128.const i64x2 0 0))
  (global $memoryTakes (mut v128) (v128.const i64x2 0 0))
  (global $cpuAdds (mut v128) (v128.const i64x2 0 0))
  (global $memoryAdds (mut v128) (v128.const i64x2 0 0))
  (global $leastWeight (mut v128) (v128.const i64x2 0 0))
  (global $balanceWeight (mut v128) (v128.const i64x2 0 0))
  ;; What the pod asks for, until it is called again.
  (func (export "ask") (param f64 f64 f64 f64 f64 f64 f64 f64)
    (global.set $cpuFits (f64x2.splat (local.get 0)))
    (global.set $memoryFits (f64x2.splat (local.get 1)))
    (global.set $cpuTakes (f64x2.splat (local.get 2)))
    (global.set $memoryTakes (f64x2.splat (local.get 3)))
    (global.set $cpuAdds (f64x2.splat (local.get 4)))
    (global.set $memoryAdds (f64x2.splat (local.get 5)))
    (global.set $leastWeight (f64x2.splat (local.get 6)))
    (global.set $balanceWeight (f64x2.splat (local.get 7))))

  ;; Two rows, over the Float64 columns, with true division. Out: their worths, as lanes of i64.
  (func $pair (param $row i32) (result v128)
    (local $at i32) (local $at4 i32)
    (local $cpu v128) (local $memory v128) (local $cpuUsed v128) (local $memoryUsed v128)
    (local $hasCpu v128) (local $hasMemory v128)
    (local $fits v128) (local $a v128) (local $b v128) (local $worth v128)
    (local $zero v128) (local $one v128) (local $half v128) (local $hundred v128)
    (local.set $one (f64x2.splat (f64.const 1)))
    (local.set $half (f64x2.splat (f64.const 0.5)))
    (local.set $hundred (f64x2.splat (f64.const 100)))
    (local.set $at (i32.shl (local.get $row) (i32.const 3)))
    (local.set $cpu (v128.load (local.get $at)))
    (local.set $cpuUsed (v128.load (local.tee $at (i32.add (local.get $at) (global.get $stride)))))
    (local.set $a (v128.load (local.tee $at (i32.add (local.get $at) (global.get $stride)))))
    (local.set $memory (v128.load (local.tee $at (i32.add (local.get $at) (global.get $stride)))))
    (local.set $memoryUsed
      (v128.load (local.tee $at (i32.add (local.get $at) (global.get $stride)))))
    (local.set $b (v128.load (local.tee $at (i32.add (local.get $at) (global.get $stride)))))
    ;; The columns of four bytes: pods free, evenness.
    (local.set $at4
      (i32.add
        (i32.mul (global.get $stride) (i32.const 6))
        (i32.shl (local.get $row) (i32.const 2))))
    (local.set $hasCpu (f64x2.ne (local.get $cpu) (local.get $zero)))
    (local.set $hasMemory (f64x2.ne (local.get $memory) (local.get $zero)))
    ;; Fits: what is asked for is free, and one more pod is allowed.
    (local.set $fits
      (v128.and
        (v128.and
          (f64x2.le (global.get $cpuFits) (f64x2.sub (local.get $cpu) (local.get $cpuUsed)))
          (f64x2.le (global.get $memoryFits)
            (f64x2.sub (local.get $memory) (local.get $memoryUsed))))
        (i64x2.extend_low_i32x4_s
          (i32x4.gt_s (v128.load64_zero (local.get $at4)) (local.get $zero)))))
    ;; Least allocated: free percent of each that there is, rounded down.
    (local.set $a
      (v128.and (local.get $hasCpu)
        (f64x2.floor
          (f64x2.div
            (f64x2.mul (local.get $hundred)
              (f64x2.pmax (local.get $zero)
                (f64x2.sub
                  (f64x2.sub (local.get $cpu) (local.get $a))
                  (global.get $cpuTakes))))
            (local.get $cpu)))))
    (local.set $b
      (v128.and (local.get $hasMemory)
        (f64x2.floor
          (f64x2.div
            (f64x2.mul (local.get $hundred)
              (f64x2.pmax (local.get $zero)
                (f64x2.sub
                  (f64x2.sub (local.get $memory) (local.get $b))
                  (global.get $memoryTakes))))
            (local.get $memory)))))
    (local.set $hasCpu (v128.and (local.get $hasCpu) (local.get $hasMemory)))
    (local.set $worth
      (f64x2.floor
        (f64x2.mul (f64x2.add (local.get $a) (local.get $b))
          (v128.bitselect (local.get $half) (local.get $one) (local.get $hasCpu)))))
    ;; Balance: 100 less half the difference of the shares in use with the pod.
    (local.set $a
      (f64x2.pmin (local.get $one)
        (f64x2.div (f64x2.add (local.get $cpuUsed) (global.get $cpuAdds)) (local.get $cpu))))
    (local.set $b
      (f64x2.pmin (local.get $one)
        (f64x2.div (f64x2.add (local.get $memoryUsed) (global.get $memoryAdds))
          (local.get $memory))))
    (local.set $a
      (f64x2.trunc
        (f64x2.mul (local.get $hundred)
          (f64x2.sub (local.get $one)
            (f64x2.abs (f64x2.mul (local.get $half) (f64x2.sub (local.get $a) (local.get $b))))))))
    (local.set $a (v128.bitselect (local.get $a) (local.get $hundred) (local.get $hasCpu)))
    (local.set $a
      (f64x2.add (local.get $one)
        (f64x2.floor
          (f64x2.mul (local.get $half)
            (f64x2.sub
              (f64x2.add (f64x2.splat (f64.const 50)) (local.get $a))
              (f64x2.convert_low_i32x4_s
                (v128.load64_zero
                  (i32.add (local.get $at4) (i32.shr_u (global.get $stride) (i32.const 1))))))))))
    ;; Added to a small whole number, 1.5 * 2^52 leaves it in the low 32 bits.
    (v128.or (v128.not (local.get $fits))
      (v128.and (v128.const i64x2 0xffffffff 0xffffffff)
        (f64x2.add
          (f64x2.splat (f64.const 6755399441055744))
          (f64x2.add
            (f64x2.mul (local.get $worth) (global.get $leastWeight))
            (f64x2.mul (local.get $a) (global.get $balanceWeight)))))))

  ;; The exact pass, for asks that the quick one can't count: worths of 32 bits.
  (func (export "placeExactly") (param $blocks i32) (param $block i32) (result i32)
    (local $row i32) (local $put i32) (local $end i32) (local $at i32)
    (local $worths v128) (local $best v128) (local $ties v128) (local $count v128)
    (local $more v128)
    (local.set $row (i32.shl (local.get $block) (i32.const 6)))
    (local.set $at (i32.shl (local.get $block) (i32.const 2)))
    (local.set $end (i32.add (global.get $worths) (i32.const 256)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $blocks)))
        (local.set $best (v128.const i64x2 -1 -1))
        (local.set $ties (v128.const i64x2 0 0))
        (local.set $put (global.get $worths))
        (loop $two
          (local.set $worths (call $pair (local.get $row)))
          (v128.store32_lane 0 (local.get $put) (local.get $worths))
          (v128.store32_lane offset=4 2 (local.get $put) (local.get $worths))
          (local.set $more (i64x2.gt_s (local.get $worths) (local.get $best)))
          (local.set $ties
            (i64x2.sub
              (v128.andnot (local.get $ties) (local.get $more))
              (i64x2.ge_s (local.get $worths) (local.get $best))))
          (local.set $best (v128.bitselect (local.get $worths) (local.get $best) (local.get $more)))
          (local.set $count
            (i64x2.sub (local.get $count)
              (i64x2.gt_s (local.get $worths) (v128.const i64x2 -1 -1))))
          (local.set $row (i32.add (local.get $row) (i32.const 2)))
          (local.set $put (i32.add (local.get $put) (i32.const 8)))
          (br_if $two (i32.lt_u (local.get $put) (local.get $end))))
        ;; The better half, or both where they are as good.
        (local.set $worths
          (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
            (local.get $best) (local.get $best)))
        (local.set $ties
          (v128.andnot (local.get $ties) (i64x2.gt_s (local.get $worths) (local.get $best))))
        (local.set $best
          (v128.bitselect (local.get $worths) (local.get $best)
            (i64x2.gt_s (local.get $worths) (local.get $best))))
        (v128.store32_lane 0 (i32.add (global.get $blockBest) (local.get $at)) (local.get $best))
        (i32.store (i32.add (global.get $blockTies) (local.get $at))
          (i32.wrap_i64
            (i64.add
              (i64x2.extract_lane 0 (local.get $ties))
              (i64x2.extract_lane 1 (local.get $ties)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1)))
        (br $next)))
    (i32.wrap_i64
      (i64.add
        (i64x2.extract_lane 0 (local.get $count))
        (i64x2.extract_lane 1 (local.get $count)))))

  ;; How much of a block's smallest node an amount is, in 256ths of a percent, rounded up; one more
  ;; where the product with a share of nearly 1 would fall short of it.
  (func $shareOf (param $amount f64) (param $smallest f64) (result f64)
    (local $share f64)
    (local.set $share
      (f64.ceil (f64.div (f64.mul (local.get $amount) (f64.const 25600)) (local.get $smallest))))
    (f64.add (local.get $share) (f64.convert_i32_u (f64.gt (local.get $share) (f64.const 16384)))))

  ;; The quick pass: eight rows a step, over eight columns of 16 bits, block by block: free shares
  ;; of cpu and memory as scores count them, the difference of the shares in use, 52 less evenness,
  ;; the smallest node's cpu and memory over this one's, free shares as requests count them. The
  ;; latter are those of the scores where the block says that no row tells them apart.
  ;; Shares are in 256ths of a percent. A free share less an asked one is what it should be or less,
  ;; by less than 6; a difference of shares is off by less than 5 either way. In a block whose nodes
  ;; are alike it is by less than 2 and 2; for an ask that is too large to count against the block's
  ;; smallest node, by as much more as its units are coarser. So each worth is known as a lowest and
  ;; a highest, mostly the same. Where they differ and the highest may still win, or where it is
  ;; open whether the pod fits, the row is settled by true division.
  (func (export "placeQuickly")
    (param $blocks i32) (param $block i32) (param $atLeast i32) (result i32)
    (local $at i32) (local $fits i32) (local $head i32) (local $row i32) (local $rows i32)
    (local $out i32) (local $low i32) (local $end i32) (local $isOdd i32) (local $isNear i32)
    (local $alike i32) (local $isKnown i32)
    (local $smallestCpu f64) (local $smallestMemory f64) (local $largest f64)
    (local $scale f64) (local $shift i32) (local $error i32)
    (local $takesCpu f64) (local $takesMemory f64) (local $addsCpu f64) (local $addsMemory f64)
    (local $cpuTakes v128) (local $memoryTakes v128) (local $cpuAdds v128) (local $memoryAdds v128)
    (local $leastWeight v128) (local $balanceWeight v128)
    (local $off v128) (local $mostLow v128) (local $mostHigh v128)
    (local $cpu v128) (local $memory v128) (local $even v128)
    (local $a v128) (local $b v128) (local $unfit v128) (local $never v128)
    (local $lowest v128) (local $highest v128) (local $doubt v128) (local $maybe v128)
    (local $best v128) (local $ties v128) (local $unfitting v128) (local $count v128)
    (local $bar v128)
    (local.set $leastWeight
      (i16x8.splat (i32.trunc_f64_s (f64x2.extract_lane 0 (global.get $leastWeight)))))
    (local.set $balanceWeight
      (i16x8.splat (i32.trunc_f64_s (f64x2.extract_lane 0 (global.get $balanceWeight)))))
    (local.set $bar (i16x8.splat (local.get $atLeast)))
    (local.set $rows (i32.shl (local.get $blocks) (i32.const 6)))
    (local.set $row (i32.shl (local.get $block) (i32.const 6)))
    (local.set $out (i32.shl (local.get $block) (i32.const 2)))
    (local.set $head (i32.add (global.get $heads) (i32.shl (local.get $block) (i32.const 5))))
    (local.set $at (i32.add (global.get $narrow) (i32.shl (local.get $block) (i32.const 10))))
    (local.set $low (global.get $worths))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $blocks)))
        ;; What the pod asks for as shares of the block's smallest node; often as before.
        (if
          (i32.or
            (i32.ne (local.get $alike) (i32.load offset=20 (local.get $head)))
            (i32.or
              (f64.ne (local.get $smallestCpu) (f64.load (local.get $head)))
              (f64.ne (local.get $smallestMemory) (f64.load offset=8 (local.get $head)))))
          (then
            (local.set $alike (i32.load offset=20 (local.get $head)))
            (local.set $smallestCpu (f64.load (local.get $head)))
            (local.set $smallestMemory (f64.load offset=8 (local.get $head)))
            ;; In coarser units where that is too small for the ask.
            (local.set $shift (i32.const 0))
            (local.set $scale (f64.const 1))
            (loop $coarser
              (local.set $takesCpu
                (call $shareOf (f64x2.extract_lane 0 (global.get $cpuTakes))
                  (f64.mul (local.get $scale) (local.get $smallestCpu))))
              (local.set $takesMemory
                (call $shareOf (f64x2.extract_lane 0 (global.get $memoryTakes))
                  (f64.mul (local.get $scale) (local.get $smallestMemory))))
              (local.set $addsCpu
                (call $shareOf
                  (f64.max (f64.const 0) (f64x2.extract_lane 0 (global.get $cpuFits)))
                  (f64.mul (local.get $scale) (local.get $smallestCpu))))
              (local.set $addsMemory
                (call $shareOf
                  (f64.max (f64.const 0) (f64x2.extract_lane 0 (global.get $memoryFits)))
                  (f64.mul (local.get $scale) (local.get $smallestMemory))))
              (local.set $largest
                (f64.max
                  (f64.max (local.get $takesCpu) (local.get $takesMemory))
                  (f64.max (local.get $addsCpu) (local.get $addsMemory))))
              (if
                (i32.and
                  (f64.ge (local.get $largest) (f64.const 32767))
                  (i32.lt_u (local.get $shift) (i32.const 8)))
                (then
                  (local.set $shift (i32.add (local.get $shift) (i32.const 1)))
                  (local.set $scale (f64.mul (local.get $scale) (f64.const 2)))
                  (br $coarser))))
            ;; Not less for a block without a smallest node, too.
            (local.set $isOdd (i32.eqz (f64.lt (local.get $largest) (f64.const 32767))))
            (local.set $isNear
              (i32.and
                (i32.and (local.get $alike) (i32.eqz (local.get $shift)))
                (f64.le (local.get $largest) (f64.const 16384))))
            (local.set $error (i32.shl (i32.const 5) (local.get $shift)))
            (if (local.get $shift)
              (then (local.set $error (i32.add (local.get $error) (i32.const 2)))))
            (local.set $off
              (i16x8.splat (select (i32.const 1) (local.get $error) (local.get $isNear))))
            (if (local.get $shift)
              (then (local.set $error (i32.shl (local.get $error) (i32.const 1)))))
            (local.set $error (select (i32.const 2) (local.get $error) (local.get $isNear)))
            (local.set $mostLow
              (i16x8.splat (i32.sub (i32.const 51200) (local.get $error))))
            (local.set $mostHigh
              (i16x8.splat (i32.add (i32.const 51200) (local.get $error))))
            (local.set $cpuTakes (i16x8.splat (i32.trunc_sat_f64_s (local.get $takesCpu))))
            (local.set $memoryTakes (i16x8.splat (i32.trunc_sat_f64_s (local.get $takesMemory))))
            (local.set $cpuAdds (i16x8.splat (i32.trunc_sat_f64_s (local.get $addsCpu))))
            (local.set $memoryAdds (i16x8.splat (i32.trunc_sat_f64_s (local.get $addsMemory))))
            (local.set $isKnown (i32.const 0))))
        ;; What it asks for as shares of each node; where nodes are alike, the same for all.
        (if (i32.eqz (i32.and (local.get $isKnown) (local.get $alike)))
          (then
            (call $weighAsks (local.get $at) (local.get $cpuTakes) (local.get $memoryTakes)
              (local.get $cpuAdds) (local.get $memoryAdds)
              (i16x8.splat (select (i32.const 0x7fff) (i32.const 0) (local.get $alike)))
              (local.get $shift))
            (local.set $isKnown (i32.const 1))))
        (local.set $fits
          (i32.add (local.get $at)
            (select (i32.const 768) (i32.const 0) (i32.load offset=16 (local.get $head)))))
        (local.set $best (v128.const i64x2 -1 -1))
        (local.set $ties (v128.const i64x2 0 0))
        (local.set $doubt (v128.const i64x2 -1 -1))
        (local.set $maybe (v128.const i64x2 0 0))
        (local.set $unfitting (v128.const i64x2 0 0))
        (local.set $low (global.get $worths))
        (if (local.get $isOdd)
          (then
            (loop $eight
              (v128.store (local.get $low) (v128.const i64x2 -1 -1))
              (v128.store offset=128 (local.get $low) (i16x8.splat (i32.const 0x7fff)))
              (local.set $low (i32.add (local.get $low) (i32.const 16)))
              (local.set $at (i32.add (local.get $at) (i32.const 16)))
              (br_if $eight (i32.and (local.get $at) (i32.const 127))))
            (local.set $maybe (v128.const i64x2 -1 -1)))
          (else
            (loop $eight
              ;; Free percent of each, then their mean.
              (local.set $a
                (i16x8.sub_sat_u (v128.load (local.get $at))
                  (v128.load offset=256 (local.get $low))))
              (local.set $b
                (i16x8.sub_sat_u (v128.load offset=128 (local.get $at))
                  (v128.load offset=384 (local.get $low))))
              (local.set $lowest
                (i16x8.mul (local.get $leastWeight)
                  (i16x8.shr_u
                    (i16x8.add
                      (i16x8.shr_u (local.get $a) (i32.const 8))
                      (i16x8.shr_u (local.get $b) (i32.const 8)))
                    (i32.const 1))))
              (local.set $highest
                (i16x8.mul (local.get $leastWeight)
                  (i16x8.shr_u
                    (i16x8.add
                      (i16x8.shr_u (i16x8.add (local.get $a) (local.get $off)) (i32.const 8))
                      (i16x8.shr_u (i16x8.add (local.get $b) (local.get $off)) (i32.const 8)))
                    (i32.const 1))))
              ;; Fits: what is asked for is free. A node that takes no more pods has far less.
              (local.set $cpu (v128.load offset=512 (local.get $low)))
              (local.set $memory (v128.load offset=640 (local.get $low)))
              (local.set $a (v128.load (local.get $fits)))
              (local.set $b (v128.load offset=128 (local.get $fits)))
              (local.set $unfit
                (v128.or
                  (i16x8.gt_s (local.get $cpu) (local.get $a))
                  (i16x8.gt_s (local.get $memory) (local.get $b))))
              (local.set $never
                (v128.or
                  (i16x8.gt_s (local.get $cpu) (i16x8.add (local.get $a) (local.get $off)))
                  (i16x8.gt_s (local.get $memory) (i16x8.add (local.get $b) (local.get $off)))))
              (local.set $maybe
                (v128.or (local.get $maybe) (v128.andnot (local.get $unfit) (local.get $never))))
              ;; Evenness with the pod: 100 less half the difference of the shares in use.
              (local.set $a
                (i16x8.abs
                  (i16x8.add (v128.load offset=256 (local.get $at))
                    (i16x8.sub (local.get $cpu) (local.get $memory)))))
              (local.set $even (v128.load offset=384 (local.get $at)))
              (local.set $lowest
                (v128.or (local.get $unfit)
                  (i16x8.add (local.get $lowest)
                    (i16x8.mul (local.get $balanceWeight)
                      (i16x8.shr_u
                        (i16x8.add (local.get $even)
                          (i16x8.shr_u (i16x8.sub (local.get $mostLow) (local.get $a))
                            (i32.const 9)))
                        (i32.const 1))))))
              (local.set $highest
                (v128.or (local.get $never)
                  (i16x8.add (local.get $highest)
                    (i16x8.mul (local.get $balanceWeight)
                      (i16x8.shr_u
                        (i16x8.add (local.get $even)
                          (i16x8.shr_u (i16x8.sub (local.get $mostHigh) (local.get $a))
                            (i32.const 9)))
                        (i32.const 1))))))
              (v128.store (local.get $low) (local.get $lowest))
              (v128.store offset=128 (local.get $low) (local.get $highest))
              (local.set $doubt
                (i16x8.max_s (local.get $doubt)
                  (v128.andnot (local.get $highest)
                    (i16x8.eq (local.get $lowest) (local.get $highest)))))
              ;; Rows with the best worth so far, lane by lane.
              (local.set $ties
                (v128.andnot (local.get $ties) (i16x8.gt_s (local.get $lowest) (local.get $best))))
              (local.set $best (i16x8.max_s (local.get $best) (local.get $lowest)))
              (local.set $ties
                (i16x8.sub (local.get $ties) (i16x8.eq (local.get $best) (local.get $lowest))))
              (local.set $unfitting (i16x8.add (local.get $unfitting) (local.get $unfit)))
              (local.set $low (i32.add (local.get $low) (i32.const 16)))
              (local.set $at (i32.add (local.get $at) (i32.const 16)))
              (local.set $fits (i32.add (local.get $fits) (i32.const 16)))
              (br_if $eight (i32.and (local.get $at) (i32.const 127))))))
        (local.set $a (call $highestLane (local.get $best)))
        (local.set $bar (i16x8.max_s (local.get $bar) (local.get $a)))
        (if
          (v128.any_true
            (v128.or (local.get $maybe) (i16x8.ge_s (local.get $doubt) (local.get $bar))))
          (then
            (call $settle (local.get $row) (local.get $bar))
            (local.set $best (v128.const i64x2 -1 -1))
            (local.set $ties (v128.const i64x2 0 0))
            (local.set $unfitting (v128.const i64x2 0 0))
            (local.set $low (global.get $worths))
            (local.set $end (i32.add (local.get $low) (i32.const 128)))
            (loop $eight
              (local.set $lowest (v128.load (local.get $low)))
              (local.set $ties
                (v128.andnot (local.get $ties) (i16x8.gt_s (local.get $lowest) (local.get $best))))
              (local.set $best (i16x8.max_s (local.get $best) (local.get $lowest)))
              (local.set $ties
                (i16x8.sub (local.get $ties) (i16x8.eq (local.get $best) (local.get $lowest))))
              (local.set $unfitting
                (i16x8.add (local.get $unfitting)
                  (i16x8.eq (local.get $lowest) (v128.const i64x2 -1 -1))))
              (local.set $low (i32.add (local.get $low) (i32.const 16)))
              (br_if $eight (i32.lt_u (local.get $low) (local.get $end))))
            (local.set $a (call $highestLane (local.get $best)))
            (local.set $bar (i16x8.max_s (local.get $bar) (local.get $a)))))
        (local.set $ties
          (i32x4.extadd_pairwise_i16x8_s
            (v128.and (local.get $ties) (i16x8.eq (local.get $best) (local.get $a)))))
        (i32.store (i32.add (global.get $blockBest) (local.get $out))
          (i16x8.extract_lane_s 0 (local.get $a)))
        (i32.store (i32.add (global.get $blockTies) (local.get $out)) (call $sum (local.get $ties)))
        (local.set $count
          (i32x4.add (local.get $count) (i32x4.extadd_pairwise_i16x8_s (local.get $unfitting))))
        ;; Past the seven other columns of the block.
        (local.set $at (i32.add (local.get $at) (i32.const 896)))
        (local.set $head (i32.add (local.get $head) (i32.const 32)))
        (local.set $row (i32.add (local.get $row) (i32.const 64)))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1)))
        (br $next)))
    (i32.add (local.get $rows) (call $sum (local.get $count))))

  ;; Shares of the smallest node become shares of each node of a block, behind the worths. Where
  ;; nodes are alike, rows without one are to be like the others: all ones outdo their ratios.
  (func $weighAsks (param $at i32)
    (param $cpuTakes v128) (param $memoryTakes v128) (param $cpuAdds v128)
    (param $memoryAdds v128) (param $ones v128) (param $shift i32)
    (local $put i32) (local $end i32) (local $bits i32) (local $cpu v128) (local $memory v128)
    (local.set $put (global.get $worths))
    (loop $eight
      (local.set $cpu (v128.or (local.get $ones) (v128.load offset=512 (local.get $at))))
      (local.set $memory (v128.or (local.get $ones) (v128.load offset=640 (local.get $at))))
      (v128.store offset=256 (local.get $put)
        (i16x8.q15mulr_sat_s (local.get $cpuTakes) (local.get $cpu)))
      (v128.store offset=384 (local.get $put)
        (i16x8.q15mulr_sat_s (local.get $memoryTakes) (local.get $memory)))
      (v128.store offset=512 (local.get $put)
        (i16x8.q15mulr_sat_s (local.get $cpuAdds) (local.get $cpu)))
      (v128.store offset=640 (local.get $put)
        (i16x8.q15mulr_sat_s (local.get $memoryAdds) (local.get $memory)))
      (local.set $put (i32.add (local.get $put) (i32.const 16)))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $eight (i32.and (local.get $at) (i32.const 127))))
    (if (local.get $shift)
      (then
        ;; Back from coarser units, rounded up; what no node has stays out of reach.
        (local.set $put (i32.add (global.get $worths) (i32.const 256)))
        (local.set $end (i32.add (local.get $put) (i32.const 512)))
        (loop $eight
          (local.set $bits (local.get $shift))
          (local.set $cpu
            (i16x8.add_sat_s (v128.load (local.get $put)) (i16x8.splat (i32.const 1))))
          (loop $double
            (local.set $cpu (i16x8.add_sat_s (local.get $cpu) (local.get $cpu)))
            (br_if $double (local.tee $bits (i32.sub (local.get $bits) (i32.const 1)))))
          (v128.store (local.get $put) (local.get $cpu))
          (local.set $put (i32.add (local.get $put) (i32.const 16)))
          (br_if $eight (i32.lt_u (local.get $put) (local.get $end)))))))

  ;; Works out by true division the rows of one block that may be worth the bar or more.
  (func $settle (param $row i32) (param $bar v128)
    (local $at i32) (local $end i32) (local $open i32) (local $pair i32) (local $lowest v128)
    (local $highest v128) (local $worths v128)
    (local.set $at (global.get $worths))
    (local.set $end (i32.add (local.get $at) (i32.const 128)))
    (loop $eight
      (local.set $lowest (v128.load (local.get $at)))
      (local.set $highest (v128.load offset=128 (local.get $at)))
      (local.set $open
        (i16x8.bitmask
          (v128.andnot
            (v128.or
              (i16x8.ge_s (local.get $highest) (local.get $bar))
              (i16x8.lt_s (local.get $lowest) (v128.const i64x2 0 0)))
            (i16x8.eq (local.get $highest) (local.get $lowest)))))
      (block $settled
        (loop $two
          (br_if $settled (i32.eqz (local.get $open)))
          (local.set $pair (i32.and (i32.ctz (local.get $open)) (i32.const 6)))
          (local.set $open
            (i32.and (local.get $open)
              (i32.xor (i32.const -1) (i32.shl (i32.const 3) (local.get $pair)))))
          (local.set $worths (call $pair (i32.add (local.get $row) (local.get $pair))))
          (local.set $pair (i32.add (local.get $at) (i32.shl (local.get $pair) (i32.const 1))))
          (v128.store16_lane 0 (local.get $pair) (local.get $worths))
          (v128.store16_lane offset=2 4 (local.get $pair) (local.get $worths))
          (br $two)))
      (local.set $row (i32.add (local.get $row) (i32.const 8)))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $eight (i32.lt_u (local.get $at) (local.get $end)))))

  ;; The highest of eight lanes, in each of them.
  (func $highestLane (param $lanes v128) (result v128)
    (local.set $lanes
      (i16x8.max_s (local.get $lanes)
        (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
          (local.get $lanes) (local.get $lanes))))
    (local.set $lanes
      (i16x8.max_s (local.get $lanes)
        (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11
          (local.get $lanes) (local.get $lanes))))
    (i16x8.max_s (local.get $lanes)
      (i8x16.shuffle 2 3 0 1 6 7 4 5 10 11 8 9 14 15 12 13
        (local.get $lanes) (local.get $lanes))))

  (func $sum (param $lanes v128) (result i32)
    (i32.add
      (i32.add
        (i32x4.extract_lane 0 (local.get $lanes))
        (i32x4.extract_lane 1 (local.get $lanes)))
      (i32.add
        (i32x4.extract_lane 2 (local.get $lanes))
        (i32x4.extract_lane 3 (local.get $lanes))))))
