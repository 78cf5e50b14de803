import Bytes
import Testing

@testable import Merkle

@Suite("RFC 6962 trees")
struct TreeTests {
  private let hasher = TreeHasher()

  private func leaf(_ bytes: [UInt8]) -> TreeHash { bytes.withUnsafeBytes { hasher.leaf($0) } }

  /// MTH of RFC 6962 §2.1, word for word.
  private func root(_ leaves: ArraySlice<TreeHash>) -> TreeHash {
    guard leaves.count > 1 else { return leaves.first ?? hasher.empty() }
    var split = 1
    while split * 2 < leaves.count { split *= 2 }
    let middle = leaves.startIndex + split
    return hasher.node(root(leaves[..<middle]), root(leaves[middle...]))
  }

  /// PATH of RFC 6962 §2.1.1, word for word.
  private func path(_ index: Int, _ leaves: ArraySlice<TreeHash>) -> [TreeHash] {
    guard leaves.count > 1 else { return [] }
    var split = 1
    while split * 2 < leaves.count { split *= 2 }
    let middle = leaves.startIndex + split
    return index < split
      ? path(index, leaves[..<middle]) + [root(leaves[middle...])]
      : path(index - split, leaves[middle...]) + [root(leaves[..<middle])]
  }

  @Test("the roots are those of the reference implementation's test vectors")
  func vectors() {
    // certificate-transparency, merkletree/merkle_tree_test.cc: eight inputs and the roots of the first n.
    let inputs: [[UInt8]] = [
      [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43],
      [0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57], Array(0x60...0x6f),
    ]
    let roots: [Int: String] = [
      0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    var tree = TreeBuilder(hasher)
    for count in 0...8 {
      let found = tree.root.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(found == roots[count], "\(count)")
      if count < 8 { tree.add(leaf(inputs[count])) }
    }
  }

  @Test("every leaf of every tree has a proof that gives the root, and no other leaf, place or path does")
  func proofs() {
    var random = SplitMix64(seed: 7)
    for count in 1...70 {
      let leaves = (0..<count).map { leaf([UInt8($0)]) }
      var tree = TreeBuilder(hasher)
      for leaf in leaves { tree.add(leaf) }
      #expect(tree.root == root(leaves[...]))
      for index in 0..<count {
        var prover = InclusionProver(index: UInt64(index), count: UInt64(count), hasher)
        for leaf in leaves { prover.add(leaf) }
        let proof = prover.finish()
        #expect(proof.path == path(index, leaves[...]))
        #expect(proof.root(ofLeaf: leaves[index], hasher) == tree.root)
        #expect(proof.root(ofLeaf: leaf([1, 2, 3]), hasher) != tree.root)
        let elsewhere = InclusionProof(index: UInt64(count), count: UInt64(count), path: proof.path)
        #expect(elsewhere.root(ofLeaf: leaves[index], hasher) == nil)
        let longer = InclusionProof(
          index: proof.index, count: proof.count, path: proof.path + [leaf([UInt8(random.next() & 255)])])
        #expect(longer.root(ofLeaf: leaves[index], hasher) == nil)
        if !proof.path.isEmpty {
          let shorter = InclusionProof(index: proof.index, count: proof.count, path: Array(proof.path.dropLast()))
          #expect(shorter.root(ofLeaf: leaves[index], hasher) == nil)
        }
      }
    }
  }
}
