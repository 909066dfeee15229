;; One pass over all nodes for one pod: does it fit, and how good is each node?
;; In: columns of the node table as byte offsets, what the pod asks for, two weights, a constant.
;; Out: the best total of each block of 64 rows, -1 where it fits on none, and how many rows have it;
;; the Int32 totals, -1 where it does not fit, of each block, or with an advance of 0 all in one
;; place; the count of rows where it fits.
;; 128-bit lanes, nothing relaxed. Division is slow, so the quick pass multiplies with inverses.
(module
  (import "columns" "memory" (memory 1))
  ;; The quick pass: four rows a step, over eight columns made for it, block by block: free cpu and
  ;; memory, what is left of cpu a hundredfold, cpu with evenness above it, 1 / cpu, what is left of
  ;; memory in percent, 1 / memory, fifty times the difference of the shares in use. Where a
  ;; rounded number comes too close to a whole one to tell, the block's best becomes -2 and its rows
  ;; are not counted: the caller has it passed over by placeExactly.
  (func (export "placeQuickly")
    (param $blocks i32) (param $at i32)
    (param $totals i32) (param $advance i32) (param $blockBest i32) (param $blockTies i32)
    (param $cpuFit i32) (param $memoryFit i32) (param $memoryEdge i32)
    (param $cpuScored i32) (param $memoryScored f32)
    (param $cpuExact f32) (param $memoryExact f32)
    (param $weights i32) (param $constant i32)
    (result i32)
    (local $sure i32) (local $put i32)
    (local $unfit v128) (local $left v128) (local $whole v128) (local $inverse v128)
    (local $otherInverse v128) (local $percent v128) (local $a v128) (local $lifted v128)
    (local $off v128) (local $farthest v128) (local $edges v128)
    (local $best v128) (local $ties v128) (local $count v128) (local $countBefore v128)
    (local $zero v128) (local $half v128) (local $lift v128) (local $low v128)
    (local $wholes v128) (local $least v128) (local $most v128) (local $out v128)
    (local $cpuFits v128) (local $memoryFits v128) (local $memoryEdges v128)
    (local $cpuTakes v128) (local $memoryTakes v128) (local $cpuAdds v128)
    (local $memoryAdds v128) (local $weigh v128) (local $base v128)
    (local.set $half (f32x4.splat (f32.const 0.5)))
    ;; Added to a small number, 1.5 * 2^23 rounds it and leaves it in the low bits.
    (local.set $lift (f32x4.splat (f32.const 12582912)))
    (local.set $low (i32x4.splat (i32.const 0xffff)))
    (local.set $wholes (i32x4.splat (i32.const 0xffffff)))
    ;; Percentages arrive less a half, so that rounding them rounds down; below 0 they count as 0.
    (local.set $least (f32x4.splat (f32.const -0.25)))
    ;; 100 less a half, and the 50 that the final halving starts from.
    (local.set $most (f32x4.splat (f32.const 149.5)))
    (local.set $out (i32x4.splat (i32.const -1)))
    (local.set $cpuFits (i32x4.splat (local.get $cpuFit)))
    (local.set $memoryFits (i32x4.splat (local.get $memoryFit)))
    (local.set $memoryEdges (i32x4.splat (local.get $memoryEdge)))
    (local.set $cpuTakes (i32x4.splat (local.get $cpuScored)))
    (local.set $memoryTakes (f32x4.splat (local.get $memoryScored)))
    (local.set $cpuAdds (f32x4.splat (local.get $cpuExact)))
    (local.set $memoryAdds (f32x4.splat (local.get $memoryExact)))
    (local.set $weigh (i32x4.splat (local.get $weights)))
    (local.set $base (i32x4.splat (local.get $constant)))
    (block $done
      (loop $block
        (br_if $done (i32.eqz (local.get $blocks)))
        (local.set $best (local.get $out))
        (local.set $farthest (local.get $zero))
        (local.set $edges (local.get $zero))
        (local.set $ties (local.get $zero))
        (local.set $put (local.get $totals))
        (local.set $countBefore (local.get $count))
        (loop $four
          (local.set $left (v128.load offset=256 (local.get $at)))
          (local.set $unfit
            (v128.or
              (i32x4.gt_s (local.get $cpuFits) (v128.load (local.get $at)))
              (i32x4.gt_s (local.get $memoryFits) (local.get $left))))
          (local.set $edges
            (v128.or (local.get $edges)
              (i32x4.eq (local.get $memoryEdges) (local.get $left))))

          ;; Free percent of cpu: right or 1 too high, which one product tells.
          (local.set $inverse (v128.load offset=1024 (local.get $at)))
          (local.set $whole (v128.load offset=768 (local.get $at)))
          (local.set $left
            (i32x4.max_s (local.get $zero)
              (i32x4.sub (v128.load offset=512 (local.get $at)) (local.get $cpuTakes))))
          (local.set $percent
            (v128.and (local.get $low)
              (f32x4.add (local.get $lift)
                (f32x4.sub
                  (f32x4.mul (f32x4.convert_i32x4_s (local.get $left)) (local.get $inverse))
                  (local.get $half)))))
          (local.set $percent
            (i32x4.add (local.get $percent)
              (i32x4.gt_s
                (i32x4.mul (local.get $percent)
                  (v128.and (local.get $wholes) (local.get $whole)))
                (local.get $left))))

          ;; Free percent of memory: unsure near a whole number above 0.
          (local.set $otherInverse (v128.load offset=1536 (local.get $at)))
          (local.set $a
            (f32x4.pmax (local.get $least)
              (f32x4.sub (v128.load offset=1280 (local.get $at))
                (f32x4.mul (local.get $memoryTakes) (local.get $otherInverse)))))
          (local.set $lifted (f32x4.add (local.get $a) (local.get $lift)))
          (local.set $off
            (f32x4.abs
              (f32x4.sub (local.get $a)
                (f32x4.sub (local.get $lifted) (local.get $lift)))))
          ;; What the lift put on top of the sum is even and above the bits that are kept.
          (local.set $percent
            (i32x4.shr_u (i32x4.add (local.get $percent) (local.get $lifted)) (i32.const 1)))

          ;; Evenness with the pod: unsure near any whole number.
          (local.set $a
            (f32x4.sub (local.get $most)
              (f32x4.abs
                (f32x4.add (v128.load offset=1792 (local.get $at))
                  (f32x4.sub
                    (f32x4.mul (local.get $cpuAdds) (local.get $inverse))
                    (f32x4.mul (local.get $memoryAdds) (local.get $otherInverse)))))))
          (local.set $lifted (f32x4.add (local.get $a) (local.get $lift)))
          (local.set $farthest
            (f32x4.pmax (local.get $farthest)
              (v128.andnot
                (f32x4.pmax (local.get $off)
                  (f32x4.abs
                    (f32x4.sub (local.get $a)
                      (f32x4.sub (local.get $lifted) (local.get $lift)))))
                (local.get $unfit))))
          (local.set $lifted
            (i32x4.shl
              (i32x4.sub (local.get $lifted) (i32x4.shr_u (local.get $whole) (i32.const 24)))
              (i32.const 15)))

          ;; Both numbers as halves of one word, times the weights as halves of another.
          (local.set $lifted
            (v128.or (local.get $unfit)
              (i32x4.add (local.get $base)
                (i32x4.dot_i16x8_s (local.get $weigh)
                  (i8x16.shuffle 0 1 18 19 4 5 22 23 8 9 26 27 12 13 30 31
                    (local.get $percent) (local.get $lifted))))))
          (v128.store (local.get $put) (local.get $lifted))
          ;; Rows with the best total so far, lane by lane.
          (local.set $ties
            (v128.andnot (local.get $ties)
              (i32x4.gt_s (local.get $lifted) (local.get $best))))
          (local.set $best (i32x4.max_s (local.get $best) (local.get $lifted)))
          (local.set $ties
            (i32x4.sub (local.get $ties) (i32x4.eq (local.get $best) (local.get $lifted))))
          (local.set $count (i32x4.add (local.get $count) (local.get $unfit)))
          (local.set $put (i32.add (local.get $put) (i32.const 16)))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $four (i32.and (local.get $at) (i32.const 255))))
        (if
          (v128.any_true
            (v128.or (local.get $edges)
              (f32x4.gt (local.get $farthest) (f32x4.splat (f32.const 0.4999)))))
          (then
            (local.set $count (local.get $countBefore))
            (i32.store (local.get $blockBest) (i32.const -2)))
          (else
            (local.set $sure (i32.add (local.get $sure) (i32.const 64)))
            (local.set $a
              (i32x4.max_s (local.get $best)
                (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
                  (local.get $best) (local.get $best))))
            (local.set $a
              (i32x4.max_s (local.get $a)
                (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11
                  (local.get $a) (local.get $a))))
            (local.set $ties
              (v128.and (local.get $ties) (i32x4.eq (local.get $best) (local.get $a))))
            (local.set $ties
              (i32x4.add (local.get $ties)
                (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
                  (local.get $ties) (local.get $ties))))
            (local.set $ties
              (i32x4.add (local.get $ties)
                (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11
                  (local.get $ties) (local.get $ties))))
            (i32.store (local.get $blockBest) (i32x4.extract_lane 0 (local.get $a)))
            (i32.store (local.get $blockTies) (i32x4.extract_lane 0 (local.get $ties)))))
        ;; Past the seven other columns of the block.
        (local.set $at (i32.add (local.get $at) (i32.const 1792)))
        (local.set $blockBest (i32.add (local.get $blockBest) (i32.const 4)))
        (local.set $blockTies (i32.add (local.get $blockTies) (i32.const 4)))
        (local.set $totals (i32.add (local.get $totals) (local.get $advance)))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1)))
        (br $block)))
    (i32.add (local.get $sure)
      (i32.add
        (i32.add
          (i32x4.extract_lane 0 (local.get $count))
          (i32x4.extract_lane 1 (local.get $count)))
        (i32.add
          (i32x4.extract_lane 2 (local.get $count))
          (i32x4.extract_lane 3 (local.get $count))))))

  ;; How many rows of one block have the best total: four rows a step.
  (func $tie (param $totals i32) (param $best i32) (result i32)
    (local $end i32) (local $count v128) (local $same v128)
    (local.set $same (i32x4.splat (local.get $best)))
    (local.set $end (i32.add (local.get $totals) (i32.const 256)))
    (loop $four
      (local.set $count
        (i32x4.sub (local.get $count)
          (i32x4.eq (local.get $same) (v128.load (local.get $totals)))))
      (local.set $totals (i32.add (local.get $totals) (i32.const 16)))
      (br_if $four (i32.lt_u (local.get $totals) (local.get $end))))
    (i32.add
      (i32.add
        (i32x4.extract_lane 0 (local.get $count))
        (i32x4.extract_lane 1 (local.get $count)))
      (i32.add
        (i32x4.extract_lane 2 (local.get $count))
        (i32x4.extract_lane 3 (local.get $count)))))

  ;; The exact pass: two rows a step, over the Float64 columns, with true division.
  (func (export "placeExactly")
    (param $blocks i32)
    (param $cpuAllocatable i32) (param $cpuRequested i32) (param $cpuNonzero i32)
    (param $memoryAllocatable i32) (param $memoryRequested i32) (param $memoryNonzero i32)
    (param $podsFree i32) (param $evenness i32)
    (param $totals i32) (param $advance i32) (param $blockBest i32) (param $blockTies i32)
    (param $cpuFit f64) (param $memoryFit f64)
    (param $cpuScored f64) (param $memoryScored f64)
    (param $cpuExact f64) (param $memoryExact f64)
    (param $leastWeight f64) (param $balanceWeight f64) (param $constant f64)
    (result i32)
    (local $at8 i32) (local $at4 i32)
    (local $cpu v128) (local $memory v128) (local $cpuUsed v128) (local $memoryUsed v128)
    (local $hasCpu v128) (local $hasMemory v128)
    (local $fits v128) (local $a v128) (local $b v128) (local $total v128)
    (local $best v128) (local $count v128)
    (local $zero v128) (local $one v128) (local $half v128) (local $hundred v128)
    (local $fifty v128) (local $out v128) (local $magic v128)
    (local $cpuFits v128) (local $memoryFits v128) (local $cpuAdds v128)
    (local $memoryAdds v128) (local $cpuTakes v128) (local $memoryTakes v128)
    (local $least v128) (local $balance v128) (local $base v128)
    (local.set $one (f64x2.splat (f64.const 1)))
    (local.set $half (f64x2.splat (f64.const 0.5)))
    (local.set $hundred (f64x2.splat (f64.const 100)))
    (local.set $fifty (f64x2.splat (f64.const 50)))
    (local.set $out (i32x4.splat (i32.const -1)))
    ;; Added to a small whole number, 1.5 * 2^52 leaves it in the low 32 bits.
    (local.set $magic (f64x2.splat (f64.const 6755399441055744)))
    (local.set $cpuFits (f64x2.splat (local.get $cpuFit)))
    (local.set $memoryFits (f64x2.splat (local.get $memoryFit)))
    (local.set $cpuTakes (f64x2.splat (local.get $cpuScored)))
    (local.set $memoryTakes (f64x2.splat (local.get $memoryScored)))
    (local.set $cpuAdds (f64x2.splat (local.get $cpuExact)))
    (local.set $memoryAdds (f64x2.splat (local.get $memoryExact)))
    (local.set $least (f64x2.splat (local.get $leastWeight)))
    (local.set $balance (f64x2.splat (local.get $balanceWeight)))
    (local.set $base (f64x2.splat (local.get $constant)))
    (block $done
      (loop $block
        (br_if $done (i32.eqz (local.get $blocks)))
        (local.set $best (local.get $out))
        (loop $pair
          (local.set $cpu (v128.load (i32.add (local.get $cpuAllocatable) (local.get $at8))))
          (local.set $memory
            (v128.load (i32.add (local.get $memoryAllocatable) (local.get $at8))))
          (local.set $cpuUsed (v128.load (i32.add (local.get $cpuRequested) (local.get $at8))))
          (local.set $memoryUsed
            (v128.load (i32.add (local.get $memoryRequested) (local.get $at8))))
          (local.set $hasCpu (f64x2.ne (local.get $cpu) (local.get $zero)))
          (local.set $hasMemory (f64x2.ne (local.get $memory) (local.get $zero)))

          ;; Fits: what is asked for is free, and one more pod is allowed.
          (local.set $fits
            (v128.and
              (f64x2.le (local.get $cpuFits) (f64x2.sub (local.get $cpu) (local.get $cpuUsed)))
              (f64x2.le (local.get $memoryFits)
                (f64x2.sub (local.get $memory) (local.get $memoryUsed)))))
          (local.set $fits
            (v128.and
              (i8x16.shuffle 0 1 2 3 8 9 10 11 0 1 2 3 8 9 10 11
                (local.get $fits) (local.get $fits))
              (i32x4.gt_s
                (v128.load64_zero (i32.add (local.get $podsFree) (local.get $at4)))
                (local.get $zero))))

          ;; Least allocated: free percent of each that there is, rounded down.
          (local.set $a
            (v128.and (local.get $hasCpu)
              (f64x2.floor
                (f64x2.div
                  (f64x2.mul (local.get $hundred)
                    (f64x2.pmax (local.get $zero)
                      (f64x2.sub
                        (f64x2.sub (local.get $cpu)
                          (v128.load (i32.add (local.get $cpuNonzero) (local.get $at8))))
                        (local.get $cpuTakes))))
                  (local.get $cpu)))))
          (local.set $b
            (v128.and (local.get $hasMemory)
              (f64x2.floor
                (f64x2.div
                  (f64x2.mul (local.get $hundred)
                    (f64x2.pmax (local.get $zero)
                      (f64x2.sub
                        (f64x2.sub (local.get $memory)
                          (v128.load (i32.add (local.get $memoryNonzero) (local.get $at8))))
                        (local.get $memoryTakes))))
                  (local.get $memory)))))
          (local.set $hasCpu (v128.and (local.get $hasCpu) (local.get $hasMemory)))
          (local.set $total
            (f64x2.floor
              (f64x2.mul (f64x2.add (local.get $a) (local.get $b))
                (v128.bitselect (local.get $half) (local.get $one) (local.get $hasCpu)))))

          ;; Balance: 100 less half the difference of the shares in use with the pod.
          (local.set $a
            (f64x2.pmin (local.get $one)
              (f64x2.div (f64x2.add (local.get $cpuUsed) (local.get $cpuAdds))
                (local.get $cpu))))
          (local.set $b
            (f64x2.pmin (local.get $one)
              (f64x2.div (f64x2.add (local.get $memoryUsed) (local.get $memoryAdds))
                (local.get $memory))))
          (local.set $a
            (f64x2.trunc
              (f64x2.mul (local.get $hundred)
                (f64x2.sub (local.get $one)
                  (f64x2.abs
                    (f64x2.mul (local.get $half)
                      (f64x2.sub (local.get $a) (local.get $b))))))))
          (local.set $a
            (v128.bitselect (local.get $a) (local.get $hundred) (local.get $hasCpu)))
          (local.set $a
            (f64x2.add (local.get $fifty)
              (f64x2.floor
                (f64x2.mul (local.get $half)
                  (f64x2.sub
                    (f64x2.add (local.get $fifty) (local.get $a))
                    (f64x2.convert_low_i32x4_s
                      (v128.load64_zero
                        (i32.add (local.get $evenness) (local.get $at4)))))))))
          (local.set $total
            (f64x2.add
              (f64x2.add (local.get $magic) (local.get $base))
              (f64x2.add
                (f64x2.mul (local.get $total) (local.get $least))
                (f64x2.mul (local.get $a) (local.get $balance)))))
          (local.set $total
            (v128.bitselect
              (i8x16.shuffle 0 1 2 3 8 9 10 11 0 1 2 3 8 9 10 11
                (local.get $total) (local.get $total))
              (local.get $out) (local.get $fits)))
          (v128.store64_lane 0
            (i32.add (local.get $totals) (i32.and (local.get $at4) (i32.const 255)))
            (local.get $total))
          (local.set $best (i32x4.max_s (local.get $best) (local.get $total)))
          (local.set $count (i32x4.sub (local.get $count) (local.get $fits)))
          (local.set $at8 (i32.add (local.get $at8) (i32.const 16)))
          (local.set $at4 (i32.add (local.get $at4) (i32.const 8)))
          (br_if $pair (i32.and (local.get $at4) (i32.const 255))))
        (local.set $best
          (i32x4.max_s (local.get $best)
            (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7
              (local.get $best) (local.get $best))))
        (i32.store (local.get $blockBest) (i32x4.extract_lane 0 (local.get $best)))
        (i32.store (local.get $blockTies)
          (call $tie (local.get $totals) (i32.load (local.get $blockBest))))
        (local.set $blockBest (i32.add (local.get $blockBest) (i32.const 4)))
        (local.set $blockTies (i32.add (local.get $blockTies) (i32.const 4)))
        (local.set $totals (i32.add (local.get $totals) (local.get $advance)))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1)))
        (br $block)))
    (i32.add
      (i32x4.extract_lane 0 (local.get $count))
      (i32x4.extract_lane 1 (local.get $count)))))
