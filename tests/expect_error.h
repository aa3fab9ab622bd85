#pragma once
#include <gtest/gtest.h>

#include <string>
#include <typeinfo>
#include <vector>

namespace dsf::testing {

/// `work` must throw an Exception, and none of a derived class (an Error is not the user's fault, a
/// UsageError is), whose message contains all of `parts`.
template <class Exception, class Work>
void expect_error(const Work& work, const std::vector<std::string>& parts) {
  try {
    work();
    ADD_FAILURE() << "no error";
  } catch (const Exception& error) {
    EXPECT_TRUE(typeid(error) == typeid(Exception)) << "of another kind: " << error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "expected '" << part << "' in: " << error.what();
    }
  }
}

}  // namespace dsf::testing
