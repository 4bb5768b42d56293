// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title What the test tokens below share: an honest ledger of balances.
/// @notice Anybody mints. Each contract below breaks one promise of ERC-20.
abstract contract Bare {
    event Transfer(address indexed from, address indexed to, uint256 value);

    error TooLittle();

    mapping(address => uint256) internal held;

    function mint(address to, uint256 amount) external {
        held[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function balanceOf(address owner) public view virtual returns (uint256) {
        return held[owner];
    }

    function decimals() public view virtual returns (uint8) {
        return 6;
    }

    function _move(address from, address to, uint256 amount) internal {
        if (held[from] < amount) revert TooLittle();
        held[from] -= amount;
        held[to] += amount;
    }
}

/// @title Moves nothing, or less than it says.
contract LyingTransfer is Bare {
    function transfer(address to, uint256 amount) external returns (bool) {
        emit Transfer(msg.sender, to, amount);
        return true;
    }

    /// @notice Says `said` and moves `moved`.
    function transferLess(address to, uint256 said, uint256 moved) external {
        _move(msg.sender, to, moved);
        emit Transfer(msg.sender, to, said);
    }
}

/// @title Keeps a tenth of each transfer, and does not say so in the event.
contract FeeToken is Bare {
    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount - amount / 10);
        _move(msg.sender, address(this), amount / 10);
        emit Transfer(msg.sender, to, amount);
        return true;
    }

    /// @notice Pays many: several events in one transaction.
    function pay(address[] calldata to, uint256[] calldata amounts) external {
        for (uint256 i = 0; i < to.length; ++i) {
            _move(msg.sender, to[i], amounts[i] - amounts[i] / 10);
            emit Transfer(msg.sender, to[i], amounts[i]);
        }
    }
}

/// @title Balances are shares of a whole that grows and shrinks without events.
contract Rebasing is Bare {
    uint256 private constant ONE = 1e6;
    uint256 private factor = ONE;

    function rebase(uint256 newFactor) external {
        factor = newFactor;
    }

    function balanceOf(address owner) public view override returns (uint256) {
        return held[owner] * factor / ONE;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount * ONE / factor);
        emit Transfer(msg.sender, to, amount);
        return true;
    }
}

/// @title Works until it is broken; then it answers no question any more.
contract Reverting is Bare {
    bool private broken;

    error Broken();

    function balanceOf(address owner) public view override returns (uint256) {
        if (broken) revert Broken();
        return held[owner];
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        if (broken) revert Broken();
        _move(msg.sender, to, amount);
        emit Transfer(msg.sender, to, amount);
        return true;
    }

    /// @notice Transfers, and is broken from then on.
    function transferAndBreak(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
        emit Transfer(msg.sender, to, amount);
        broken = true;
    }
}

/// @title Reports failure by its return value alone.
contract ReturnsFalse is Bare {
    function transfer(address, uint256) external pure returns (bool) {
        return false;
    }
}

/// @title Returns nothing, as old tokens do. The transfer works.
contract ReturnsNothing is Bare {
    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
        emit Transfer(msg.sender, to, amount);
    }
}

/// @title Calls itself in the middle of a transfer, and counts some of it twice in its events.
contract Reentrant is Bare {
    function transfer(address to, uint256 amount) external returns (bool) {
        uint256 half = amount / 2;
        this.inner(msg.sender, to, half);
        _move(msg.sender, to, amount - half);
        emit Transfer(msg.sender, to, amount);
        return true;
    }

    function inner(address from, address to, uint256 amount) external {
        _move(from, to, amount);
        emit Transfer(from, to, amount);
    }
}

/// @title Has other decimals in every block.
contract ChangingDecimals is Bare {
    function decimals() public view override returns (uint8) {
        return uint8(block.number % 19);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        emit Transfer(msg.sender, to, amount);
        return true;
    }
}

/// @title Refuses with a megabyte of reasons.
contract HugeRevert is Bare {
    uint256 private constant MEGABYTE = 1 << 20;

    bool private armed;

    /// @notice From now on it does not tell balances either.
    function arm() external {
        armed = true;
    }

    function balanceOf(address owner) public view override returns (uint256) {
        if (armed) _refuse();
        return held[owner];
    }

    function transfer(address, uint256) external pure returns (bool) {
        _refuse();
        return true;
    }

    function _refuse() private pure {
        assembly {
            revert(0, MEGABYTE)
        }
    }
}
